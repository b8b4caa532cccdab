package restore

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/change"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// A world is a bucket, a lock table, and a Restorer on one of several hosts.
type world struct {
	*testing.T
	*Restorer
	mem   *memstore.Bucket
	net   *faultstore.Store
	locks *memtable.Server
	began time.Time
	n     int
}

var timing = lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}

// bubble runs a test in a world of its own.
func bubble(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Options{Versioned: true})
		w := &world{T: t, mem: mem, net: faultstore.New(mem), locks: memtable.NewServer(), began: time.Now()}
		s := w.host()
		w.Restorer = w.on(s)
		f(w)
		w.close(s)
		w.net.Wait()
		if n := w.locks.Locks(); n != 0 && !t.Failed() {
			t.Errorf("%d locks are held at the end", n)
		}
	})
}

func (w *world) on(s *change.Session) *Restorer {
	w.Helper()
	r, err := New(w.Context(), s.Objects, s)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// host begins a session that waits 10 s for a name.
func (w *world) host() *change.Session {
	w.n++
	host := fmt.Sprintf("host%d", w.n)
	m := lockmgr.New(w.locks.Table(), lockmgr.Config{Schema: 1, Timing: timing, ID: "t"}, lockmgr.Options{
		BucketID: "b", Name: host, Host: host, Now: func() time.Duration { return time.Since(w.began) }})
	c := store.New(w.net, store.Options{Host: host, Timing: store.Timing{Quiet: timing.Delay, Stall: timing.Stall()}})
	return change.New(c, m, "", 80*time.Second, change.Options{Host: host, LockTimeout: 10 * time.Second})
}

func (w *world) close(s *change.Session) {
	w.Helper()
	if err := s.Close(); err != nil {
		w.Errorf("close: %v", err)
	}
}

// holding calls f while another host has a name.
func (w *world) holding(key string, f func()) {
	w.Helper()
	s := w.host()
	if err := s.Locked(w.Context(), key, func(*file.Locked) error { f(); return nil }); err != nil {
		w.Error(err)
	}
	w.close(s)
}

// put is a writer that does not know of us. A second later it is past.
func (w *world) put(key, body string) {
	w.mem.PutForeign(key, body)
	time.Sleep(time.Second)
}

func (w *world) remove(key string) {
	w.mem.DeleteForeign(key)
	time.Sleep(time.Second)
}

// content is what is under a key; "-" is nothing.
func (w *world) content(key string) string {
	if text, ok := w.mem.Content(key); ok {
		return text
	}
	return "-"
}

func (w *world) want(key, text string) {
	w.Helper()
	if got := w.content(key); got != text {
		w.Errorf("%s is %q, want %q", key, got, text)
	}
}

// versions are those of a key, oldest first.
func (w *world) versions(key string) []history.Version {
	w.Helper()
	v, err := w.History().Versions(w.Context(), key)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// run carries a plan out and returns the errors by key.
func (w *world) run(ctx context.Context, p Plan) map[string]error {
	type failure struct {
		key string
		err error
	}
	failures := make(chan failure, len(p.Steps))
	w.Restorer.Run(ctx, p, func(s Step, _ Result, err error) {
		if err != nil {
			failures <- failure{s.Key, err}
		}
	})
	close(failures)
	all := make(map[string]error)
	for f := range failures {
		all[f.key] = f.err
	}
	return all
}
