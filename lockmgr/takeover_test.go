package lockmgr_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
)

// took runs f and checks how long it took.
func took(t *testing.T, what string, low, high time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if d := time.Since(began); d < low || d > high {
		t.Errorf("%s took %s, want %s to %s", what, d, low, high)
	}
}

// LOCKS P6: recovery on the same host has the locks at once, but for keys that may still
// have a request under way.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, next, other := r.host("a"), r.host("next"), r.host("other")
		r.acquire(a, "settled", 0)
		r.acquire(a, "open", 0)
		r.acquire(a, "theirs", 0)
		r.crash(a)
		err := next.Takeover(t.Context(), append(a.Sessions(), "never.1"), func(key string) bool { return key == "open" })
		if err != nil {
			t.Fatal(err)
		}
		if s := r.srv.Session("a.1"); s.State != lockmgr.Dead {
			t.Errorf("session = %+v", s)
		}
		var settled, open *lockmgr.Lease
		took(t, "a settled key", 0, time.Second, func() { settled = r.acquire(next, "settled", time.Minute) })
		took(t, "an unanswered key", times.Delay-time.Second, times.Delay+time.Second, func() { open = r.acquire(next, "open", time.Minute) })
		if _, err := other.Acquire(t.Context(), "theirs", time.Second); !errors.As(err, new(*lockmgr.HeldError)) {
			t.Errorf("another host's Acquire before the burial = %v", err)
		}
		// "other" has seen the death just now and would wait the delay.
		if err := next.Bury(t.Context(), a.Sessions()); err != nil {
			t.Fatal(err)
		}
		fresh := r.host("fresh")
		var theirs *lockmgr.Lease
		took(t, "a key after the burial", 0, time.Second, func() { theirs = r.acquire(fresh, "theirs", time.Minute) })
		settled.Release()
		open.Release()
		theirs.Release()
		r.close(next, other, fresh)
	})
}

// The flock of a session directory proves a death at once; its locks are free a delay later.
func TestLocalDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a := r.host("a")
		r.acquire(a, "k", 0)
		r.crash(a)
		b := r.host("b", func(o *lockmgr.Options) { o.LocalDead = func(name string) bool { return name == "a" } })
		took(t, "a dead neighbour's key", times.Delay, times.Delay+2*times.Beat, func() { r.acquire(b, "k", time.Hour).Release() })
		r.close(b)
	})
}

// A session record that an operator or the TTL removed: its holder notices with the next
// beat, others wait until he must have.
func TestMissingSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		l := r.acquire(a, "k", 0)
		r.srv.DeleteSession("a.1")
		took(t, "the key of a missing session", times.Lease+times.Delay, times.Lease+times.Delay+2*times.Beat, func() {
			r.acquire(b, "k", time.Hour).Release()
		})
		if err := l.Check(); !errors.Is(err, lockmgr.ErrLost) {
			t.Errorf("Check = %v", err)
		}
		l.Release()
		r.acquire(a, "k", time.Minute).Release()
		r.close(a, b)
	})
}

// A watcher that was suspended starts its window anew: while it slept the holder may
// have been cut off by the same cause.
func TestSuspendedWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		l := r.acquire(a, "k", 0)
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.acquire(b, "k", 24*time.Hour).Release()
		}()
		time.Sleep(time.Minute)
		for range 5 {
			// The watcher wakes while the holder cannot beat, though not for a lease.
			a.table.Partition(true)
			b.behind.Add(int64(time.Hour))
			time.Sleep(times.Lease / 2)
			a.table.Partition(false)
			time.Sleep(times.Lease)
			if err := l.Check(); err != nil {
				t.Fatalf("the holder was killed: %v", err)
			}
		}
		l.Release()
		<-done
		r.close(a, b)
	})
}

// The lease of a session that could not beat, and finds the table again before anybody
// killed it, is given out valid.
func TestAcquireAfterOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a := r.host("a")
		r.acquire(a, "k", 0).Release()
		synctest.Wait()
		a.table.Partition(true)
		time.Sleep(5 * time.Minute)
		if _, err := a.Acquire(t.Context(), "k", time.Second); !errors.Is(err, lockmgr.ErrUnavailable) {
			t.Errorf("Acquire in an outage = %v", err)
		}
		a.table.Partition(false)
		r.acquire(a, "k", time.Minute).Release()
		r.close(a)
	})
}

// The session id is announced before the session is written, and a refusal prevents it.
func TestOnSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		refuse := errors.New("disk full")
		var told []string
		a := r.host("a", func(o *lockmgr.Options) {
			o.OnSession = func(sid string) error {
				if refuse != nil {
					return refuse
				}
				if s := r.srv.Session(sid); s.State != lockmgr.Missing {
					t.Errorf("told of %s only after it was written", sid)
				}
				told = append(told, sid)
				return nil
			}
		})
		if _, err := a.Acquire(t.Context(), "k", time.Minute); !errors.Is(err, refuse) {
			t.Errorf("Acquire = %v", err)
		}
		if s := r.srv.Session("a.1"); s.State != lockmgr.Missing {
			t.Errorf("session = %+v", s)
		}
		refuse = nil
		r.acquire(a, "k", 0).Release()
		if len(told) != 1 || told[0] != "a.1" {
			t.Errorf("told %q", told)
		}
		r.close(a)
	})
}

// A watcher some of whose reads fail does not judge: what keeps its reads may keep the
// holder's heartbeats.
func TestFailingReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		l := r.acquire(a, "k", 0)
		n := 0
		b.table.SetFaults(func(verb string) memtable.Fault {
			if verb == "look" {
				n++
			}
			return memtable.Fault{Drop: verb == "look" && n%2 == 0}
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.acquire(b, "k", time.Hour).Release()
		}()
		time.Sleep(times.Beat)
		a.table.Partition(true)
		time.Sleep(3 * times.Lease)
		a.table.Partition(false)
		time.Sleep(2 * times.Beat)
		if err := l.Check(); err != nil {
			t.Errorf("the holder was killed: %v", err)
		}
		l.Release()
		<-done
		r.close(a, b)
	})
}
