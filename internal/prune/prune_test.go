package prune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// A world is a bucket and a lock table that several hosts share.
type world struct {
	*testing.T
	mem   *memstore.Bucket
	net   *faultstore.Store
	locks *memtable.Server
	began time.Time
	hosts int
}

var timing = lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}

func bubble(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Options{Versioned: true})
		f(&world{T: t, mem: mem, net: faultstore.New(mem), locks: memtable.NewServer(), began: time.Now()})
	})
}

// host gives the names that a host leases, waiting 10 s for one, and its client.
func (w *world) host() (*file.Table, *store.Client) {
	w.hosts++
	name := fmt.Sprintf("host%d", w.hosts)
	m := lockmgr.New(w.locks.Table(), lockmgr.Config{Schema: 1, Timing: timing, ID: "t"}, lockmgr.Options{
		BucketID: "b", Name: name, Host: name, Now: func() time.Duration { return time.Since(w.began) }})
	c := store.New(w.net, store.Options{Host: name, Timing: store.Timing{Quiet: timing.Delay, Stall: timing.Stall()}})
	t := file.NewTable(file.Options{Objects: c, Locks: lease.Manager(m), Host: name, LockTimeout: 10 * time.Second, FlushTimeout: 80 * time.Second, Quiet: timing.Delay})
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := t.Shutdown(ctx); err != nil {
			w.Error(err)
		}
		m.Close(ctx)
	})
	return t, c
}

// make writes so many versions of keys, an hour apart.
func (w *world) make(n int, keys ...string) {
	for i := range n {
		for _, key := range keys {
			w.mem.PutForeign(key, strings.Repeat("x", i))
		}
		time.Sleep(time.Hour)
	}
}

// prune runs a policy over all keys, and gives its steps: "key size: what".
func (w *world) prune(ctx context.Context, p Policy, names Names, c *store.Client) ([]string, error) {
	var steps []string
	pruner := &Pruner{Policy: p, Objects: c, Names: names, Tell: func(s Step) {
		what := "goes"
		switch held, locked := errors.AsType[*lockmgr.HeldError](s.Err); {
		case locked:
			what = "held by " + held.Host
		case s.Err != nil:
			what = s.Err.Error()
		case s.Kept != "":
			what = s.Kept
		case s.Removed:
			what = "removed"
		}
		steps = append(steps, fmt.Sprintf("%s %d: %s", s.Key, s.Version.Info.Size, what))
	}}
	err := pruner.All(ctx, "")
	slices.Sort(steps)
	return steps, err
}

// sizes gives what is left of a key, oldest first; "!" is a deletion.
func (w *world) sizes(key string) string {
	var all []string
	for _, v := range w.mem.History(key) {
		if v.Deleted {
			all = append(all, "!")
		} else {
			all = append(all, fmt.Sprint(v.Info.Size))
		}
	}
	return strings.Join(all, " ")
}

func (w *world) want(key, sizes string) {
	w.Helper()
	if got := w.sizes(key); got != sizes {
		w.Errorf("%s has %q left, want %q", key, got, sizes)
	}
}

// A dry run tells what the run does, and changes nothing; what may not go stays.
func TestPrune(t *testing.T) {
	bubble(t, func(w *world) {
		w.make(5, "file", "dir/deleted", "labelled", "locked", "held")
		w.mem.DeleteForeign("dir/deleted")
		names, c := w.host()
		old := w.mem.History("labelled")[1].Info
		if err := c.Label(w.Context(), store.Unleased("a test"), "labelled", old.VersionID, func([]string) []string { return []string{"v1", "v2"} }); err != nil {
			w.Fatal(err)
		}
		w.mem.Lock("locked", w.mem.History("locked")[0].Info.VersionID, store.Lock{Mode: "GOVERNANCE", Until: time.Now().Add(time.Hour)})
		w.mem.Lock("locked", w.mem.History("locked")[1].Info.VersionID, store.Lock{Mode: "COMPLIANCE", Until: time.Now().Add(-time.Hour)})
		w.mem.Lock("held", w.mem.History("held")[2].Info.VersionID, store.Lock{Hold: true})
		until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		dry, err := w.prune(w.Context(), Policy{KeepLast: 2}, nil, c)
		want := []string{"dir/deleted 0: goes", "dir/deleted 1: goes", "dir/deleted 2: goes", "file 0: goes", "file 1: goes", "file 2: goes",
			"held 0: goes", "held 1: goes", "held 2: legal hold", "labelled 0: goes", "labelled 1: label v1, v2", "labelled 2: goes",
			"locked 0: retained until " + until, "locked 1: goes", "locked 2: goes"}
		if err != nil || !slices.Equal(dry, want) {
			w.Errorf("%v, %q\nwant %q", err, dry, want)
		}
		w.want("file", "0 1 2 3 4")
		run, err := w.prune(w.Context(), Policy{KeepLast: 2}, names, c)
		for i := range want {
			for from, to := range map[string]string{"goes": "removed", "legal hold": "Object Lock", "retained until " + until: "Object Lock"} {
				want[i] = strings.ReplaceAll(want[i], from, to)
			}
		}
		if err != nil || !slices.Equal(run, want) {
			w.Errorf("%v, %q\nwant %q", err, run, want)
		}
		for key, left := range map[string]string{"file": "3 4", "dir/deleted": "3 4 !", "labelled": "1 3 4", "locked": "0 3 4", "held": "2 3 4"} {
			w.want(key, left)
		}
		again, err := w.prune(w.Context(), Policy{}, names, c)
		if err != nil || !slices.Contains(again, "dir/deleted 3: removed") {
			w.Errorf("%v, %q", err, again)
		}
		w.want("dir/deleted", "4 !")
		w.want("labelled", "1 4")
	})
}

// What was decided by a listing is looked at again under the lease: a label that somebody has set
// since, a version that has become the newest content.
func TestPruneLooksAgain(t *testing.T) {
	bubble(t, func(w *world) {
		w.make(4, "a")
		names, c := w.host()
		lists := 0
		w.net.Hook(func(op, _ string, _ int) faultstore.Fault {
			if op == "ListVersions" {
				if lists++; lists == 2 {
					ids := w.mem.History("a")
					w.mem.SetTags(context.Background(), "a", ids[0].Info.VersionID, "latchfs-labels=keep")
					w.mem.Destroy("a", ids[3].Info.VersionID)
				}
			}
			return faultstore.Fault{}
		})
		steps, err := w.prune(w.Context(), Policy{}, names, c)
		if want := []string{"a 0: label keep", "a 1: removed"}; err != nil || !slices.Equal(steps, want) {
			w.Errorf("%v, %q, want %q", err, steps, want)
		}
		w.want("a", "0 2")
	})
}

// LOCKS P4: lost, late and repeated answers remove what was meant and nothing else.
func TestPruneWithoutAnswers(t *testing.T) {
	for name, fault := range map[string]faultstore.Fault{
		"lost": {LoseReply: true}, "late": {Late: 29 * time.Second}, "hang": {Hang: true}, "twice": {Resend: true}, "again later": {Duplicate: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.make(4, "a", "b")
				names, c := w.host()
				var seen sync.Map // the first removal of each key
				w.net.Hook(func(op, key string, _ int) faultstore.Fault {
					if op != "DeleteVersion" {
						return faultstore.Fault{}
					}
					if _, again := seen.LoadOrStore(key, true); again {
						return faultstore.Fault{}
					}
					return fault
				})
				if steps, err := w.prune(w.Context(), Policy{}, names, c); err != nil || len(steps) != 6 {
					w.Errorf("%v, %q", err, steps)
				}
				w.net.Wait()
				w.want("a", "3")
				w.want("b", "3")
			})
		})
	}
}

// SEMANTICS G4: a file that another host has is named, and the others are pruned.
func TestPruneBesideOthers(t *testing.T) {
	bubble(t, func(w *world) {
		w.make(3, "a", "b")
		names, c := w.host()
		other, _ := w.host()
		err := other.Locked(w.Context(), "a", func(*file.Locked) error {
			steps, err := w.prune(w.Context(), Policy{}, names, c)
			if want := []string{"a 0: held by host2", "b 0: removed", "b 1: removed"}; !slices.Equal(steps, want) {
				w.Errorf("%q, want %q", steps, want)
			}
			return err
		})
		if err != nil {
			w.Error(err)
		}
		w.want("a", "0 1 2")
	})
}

// Without the right to read tags nobody knows of labels, and nothing goes.
func TestPruneWithoutRights(t *testing.T) {
	for op, want := range map[string]string{"Tags": "0 1 2", "DeleteVersion": "0 1 2", "ListVersions": "0 1 2"} {
		bubble(t, func(w *world) {
			w.make(3, "a")
			names, c := w.host()
			w.net.On(op).Fail(store.Refused, store.ErrAccessDenied)
			steps, err := w.prune(w.Context(), Policy{}, names, c)
			if op == "ListVersions" != errors.Is(err, store.ErrAccessDenied) || err == nil && (len(steps) != 2 || !strings.Contains(steps[0], "access denied")) {
				w.Errorf("%s: %v, %q", op, err, steps)
			}
			w.want("a", want)
		})
	}
}

// 10,000 versions of many keys and of one: at most 64 requests at a time, one listing for each key
// and two requests for each version; stopped in the middle, the same call does the rest.
func TestPruneMany(t *testing.T) {
	bubble(t, func(w *world) {
		for i := range 1000 {
			for n := range 3 {
				w.mem.PutForeign(fmt.Sprintf("dir/%04d", i), strings.Repeat("x", n))
			}
		}
		for n := range 3000 {
			w.mem.PutForeign("one", strings.Repeat("x", n%3))
		}
		names, c := w.host()
		ctx, cancel := context.WithCancelCause(w.Context())
		var mu sync.Mutex
		removals, under, most := 0, 0, 0
		w.net.Hook(func(op, _ string, _ int) faultstore.Fault {
			mu.Lock()
			defer mu.Unlock()
			under++
			most = max(most, under)
			time.AfterFunc(20*time.Millisecond, func() { mu.Lock(); under--; mu.Unlock() })
			if op == "DeleteVersion" {
				if removals++; removals == 2000 {
					cancel(errors.New("stopped"))
				}
			}
			return faultstore.Fault{Delay: 20 * time.Millisecond}
		})
		if _, err := w.prune(ctx, Policy{}, names, c); err == nil || removals > 2000+parallel {
			w.Errorf("stopped after %d removals: %v", removals, err)
		}
		began := time.Now()
		steps, err := w.prune(w.Context(), Policy{}, names, c)
		if err != nil {
			w.Fatal(err)
		}
		if n := removals; n > 4999+parallel || len(steps) < 4999-2000-parallel {
			w.Errorf("%d removals, %d steps in the second run", n, len(steps))
		}
		if took := time.Since(began); took > 30*time.Second {
			w.Errorf("took %v", took)
		}
		if most > 2*parallel+1 { // looks at the names beside
			w.Errorf("%d requests at a time", most)
		}
		if n := c.Requests()["Tags"]; n > 4999+2*parallel {
			w.Errorf("%d requests for tags", n)
		}
		for _, key := range w.mem.Keys() {
			if n := len(w.mem.History(key)); n != 1 {
				w.Fatalf("%s has %d versions", key, n)
			}
		}
	})
}

// The host's clock is a year ahead of the server's: what is young for the server stays.
func TestAgesAreTheServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Options{Versioned: true, Now: func() time.Time { return time.Now().AddDate(-1, 0, 0) }})
		w := &world{T: t, mem: mem, net: faultstore.New(mem), locks: memtable.NewServer(), began: time.Now()}
		w.make(3, "f") // an hour apart
		names, c := w.host()
		for _, tt := range []struct {
			old  time.Duration
			left string
		}{{24 * time.Hour, "0 1 2"}, {90 * time.Minute, "1 2"}} {
			if steps, err := w.prune(t.Context(), Policy{OlderThan: tt.old}, names, c); err != nil || w.sizes("f") != tt.left {
				t.Errorf("older than %v: %v, %v; left %q, want %q", tt.old, steps, err, w.sizes("f"), tt.left)
			}
		}
	})
}
