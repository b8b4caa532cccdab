package label

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// A shelf has labels by version id, and counts how many are asked for, and how many at a time.
type shelf struct {
	labels map[string][]string
	errs   map[string]error

	mu             sync.Mutex
	asked          int
	parallel, most int
}

func (s *shelf) Labels(_ context.Context, _, version string) ([]string, error) {
	s.mu.Lock()
	s.asked++
	s.parallel++
	s.most = max(s.most, s.parallel)
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	s.parallel--
	s.mu.Unlock()
	return s.labels[version], s.errs[version]
}

func versions(n int) (all []history.Version) {
	for i := range n {
		all = append(all, history.Version{Info: store.Info{Key: "f", VersionID: fmt.Sprint("v", i)}})
	}
	return all
}

// The newest version that has a label is the one; no more are asked for than a batch beyond it.
func TestLabeled(t *testing.T) {
	for _, c := range []struct {
		label string
		id    string
		asked int
	}{{"new", "v199", batch}, {"both", "v130", 2 * batch}, {"old", "v3", 200}, {"none", "", 200}} {
		synctest.Test(t, func(t *testing.T) {
			s := &shelf{labels: map[string][]string{"v199": {"x", "new"}, "v130": {"both"}, "v3": {"old", "both"}}, errs: map[string]error{"v150": store.ErrNotFound}}
			all := versions(201)
			all[200].Deleted = true
			id, ok, err := Finder{s}.Labeled(t.Context(), all, c.label)
			if err != nil || ok != (c.id != "") || ok && id != c.id || s.asked != c.asked || s.most != batch {
				t.Errorf("%s: %q, %v, %v, %d asked, %d at a time", c.label, id, ok, err, s.asked, s.most)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{errs: map[string]error{"v1": store.ErrAccessDenied}}
		if _, _, err := (Finder{s}).Labeled(t.Context(), versions(3), "a"); !errors.Is(err, store.ErrAccessDenied) {
			t.Errorf("denied: %v", err)
		}
	})
}

// Labels are changed under the lease of the key: whoever has the file is waited for.
func TestLabeler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, locks, began := memstore.New(memstore.Options{Versioned: true}), memtable.NewServer(), time.Now()
		timing := lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}
		host := func(name string) (Labeler, func()) {
			m := lockmgr.New(locks.Table(), lockmgr.Config{Schema: 1, Timing: timing, ID: "t"}, lockmgr.Options{
				BucketID: "b", Name: name, Host: name, Now: func() time.Duration { return time.Since(began) }})
			c := store.New(mem, store.Options{Host: name, Timing: store.Timing{Quiet: timing.Delay, Stall: timing.Stall()}})
			table := file.NewTable(file.Options{Objects: c, Locks: lease.Manager(m), Host: name, LockTimeout: 10 * time.Second, FlushTimeout: 80 * time.Second, Quiet: timing.Delay})
			return Labeler{table, c}, func() {
				table.Shutdown(context.Background())
				m.Close(context.Background())
			}
		}
		one, end := host("one")
		defer end()
		two, end := host("two")
		defer end()
		old := mem.PutForeign("f", "old").VersionID
		mem.PutForeign("f", "new")
		has := func(want ...string) {
			t.Helper()
			if got, err := one.Objects.Labels(t.Context(), "f", old); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
		for _, label := range []string{"a", "b", "a"} {
			if err := one.Set(t.Context(), "f", old, label); err != nil {
				t.Fatal(err)
			}
		}
		has("a", "b")
		err := two.Names.Locked(t.Context(), "f", func(*file.Locked) error {
			if _, locked := errors.AsType[*lockmgr.HeldError](one.Remove(t.Context(), "f", old, "a")); !locked {
				t.Error("it was not locked")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		has("a", "b")
		for _, label := range []string{"a", "none"} {
			if err := two.Remove(t.Context(), "f", old, label); err != nil {
				t.Error(err)
			}
		}
		has("b")
		if n := len(mem.History("f")); n != 2 {
			t.Errorf("%d versions", n)
		}
	})
}
