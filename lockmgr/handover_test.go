package lockmgr_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
)

// Two hosts that open, write and close in a loop take turns, though each knows best when
// its own lock becomes free.
func TestHandover(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			rng := rand.New(rand.NewPCG(seed, 1))
			hosts := []*host{r.host("a"), r.host("b")}
			const each = 400
			turns := make(chan int, 2*each)
			ms := make(chan time.Duration)
			go func() {
				for range 4 * each {
					ms <- time.Duration(rng.IntN(21)) * time.Millisecond
				}
			}()
			done := make(chan struct{})
			for i, h := range hosts {
				h.table.SetFaults(func(string) memtable.Fault { return memtable.Fault{Delay: 3 * time.Millisecond} })
				go func() {
					defer func() { done <- struct{}{} }()
					for range each {
						l, err := h.Acquire(t.Context(), "k", 100*time.Second)
						if err != nil {
							t.Error(err)
							return
						}
						turns <- i
						time.Sleep(5*time.Millisecond + <-ms)
						l.Release()
						time.Sleep(<-ms)
					}
				}()
			}
			began := time.Now()
			<-done
			<-done
			took := time.Since(began)
			close(turns)
			last, changes := -1, 0
			for i := range turns {
				if last >= 0 && i != last {
					changes++
				}
				last = i
			}
			t.Logf("seed %d: %d hand-overs in %d rounds, %s", seed, changes, 2*each, took)
			if changes < 100 {
				t.Errorf("seed %d: %d hand-overs", seed, changes)
			}
			if took > 90*time.Second {
				t.Errorf("seed %d: %d rounds took %s", seed, 2*each, took)
			}
			r.close(hosts...)
		})
	}
}

// A host that wants a key is heard by the one that holds it, within a beat.
func TestWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		l, other := r.acquire(a, "k", 0), r.acquire(a, "other", 0)
		got := make(chan *lockmgr.Lease)
		began := time.Now()
		go func() { got <- r.acquire(b, "k", time.Minute) }()
		<-l.Wanted()
		if took := time.Since(began); took > times.Beat+time.Second {
			t.Errorf("heard after %s", took)
		}
		select {
		case <-other.Wanted():
			t.Error("another key's lease is wanted")
		default:
		}
		l.Release()
		(<-got).Release()
		other.Release()
		r.close(a, b)
	})
}

// After a release that was asked for, the other host has a second; if it does not come, the
// key is ours again, and after that without any delay.
func TestTurnPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		l := r.acquire(a, "k", 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Acquire(ctx, "k", time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Acquire = %v", err)
		}
		<-l.Wanted()
		l.Release()
		synctest.Wait()
		began := time.Now()
		l = r.acquire(a, "k", time.Minute)
		if took := time.Since(began); took < time.Second || took > 1200*time.Millisecond {
			t.Errorf("the turn lasted %s", took)
		}
		l.Release()
		synctest.Wait()
		began = time.Now()
		r.acquire(a, "k", time.Minute).Release()
		if took := time.Since(began); took != 0 {
			t.Errorf("an uncontested key took %s", took)
		}
		r.close(a, b)
	})
}

// Within one process a key has one lease at a time; the second waits, and can be interrupted.
func TestLocalGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a := r.host("a")
		l := r.acquire(a, "k", 0)
		if _, err := a.Acquire(t.Context(), "k", time.Second); !errors.As(err, new(*lockmgr.HeldError)) {
			t.Errorf("second Acquire = %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		go func() {
			_, err := a.Acquire(ctx, "k", time.Hour)
			errs <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted Acquire = %v", err)
		}
		go func() { errs <- a.Close(t.Context()) }()
		synctest.Wait()
		if _, err := a.Acquire(t.Context(), "k2", time.Hour); !errors.Is(err, lockmgr.ErrClosed) {
			t.Errorf("Acquire while closing = %v", err)
		}
		l.Release()
		if err := <-errs; err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}

// Close waits for a release that the table does not answer, and gives up with its context;
// then the session is left to die, and so protects whatever was under way.
func TestCloseUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		l := r.acquire(a, "k", 0)
		a.table.Partition(true)
		l.Release()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := a.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close = %v", err)
		}
		if s := r.srv.Session("a.1"); s.State != lockmgr.Alive {
			t.Errorf("session = %+v", s)
		}
		r.acquire(b, "k", 5*time.Minute).Release()
		r.close(b)
	})
}

// An acquisition whose reply is lost does not stay; one that lands after its clean-up
// is found by the mail of the next who wants the key.
func TestOrphans(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    func(n int) memtable.Fault // of the n-th acquire
	}{
		{"reply lost", func(int) memtable.Fault { return memtable.Fault{LoseReply: true} }},
		{"lands late", func(int) memtable.Fault { return memtable.Fault{Delay: time.Minute} }},
		{"lands twice", func(int) memtable.Fault { return memtable.Fault{LoseReply: true, Duplicate: 2 * time.Minute} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				a, b := r.host("a"), r.host("b")
				r.acquire(a, "first", 0).Release()
				n := 0
				a.table.SetFaults(func(verb string) memtable.Fault {
					if verb != "acquire" {
						return memtable.Fault{}
					}
					n++
					return tt.f(n)
				})
				if _, err := a.Acquire(t.Context(), "k", 0); !errors.Is(err, lockmgr.ErrUnavailable) {
					t.Fatalf("Acquire = %v", err)
				}
				a.table.SetFaults(nil)
				for range 4 {
					began := time.Now()
					l := r.acquire(b, "k", time.Minute)
					if took := time.Since(began); took > times.Beat+2*time.Second {
						t.Errorf("the leftover of a live session kept another host out for %s", took)
					}
					l.Release()
					time.Sleep(time.Minute)
				}
				if n := r.srv.Locks(); n != 0 {
					// The last copy may have landed unseen: nobody wanted the key since.
					r.acquire(b, "k", time.Minute).Release()
				}
				r.close(a, b)
				if n := r.srv.Locks(); n != 0 {
					t.Errorf("%d locks left", n)
				}
			})
		})
	}
}

// Every request may be lost, answered or not, or come twice.
func TestLostReplies(t *testing.T) {
	for _, verb := range []string{"session", "beat", "acquire", "release", "close"} {
		for _, f := range []memtable.Fault{{Drop: true}, {LoseReply: true}, {Duplicate: time.Second}, {LoseReply: true, Duplicate: 40 * time.Millisecond}} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				a, b := r.host("a"), r.host("b")
				n := 0
				a.table.SetFaults(func(v string) memtable.Fault {
					if v == verb {
						if n++; n <= 2 {
							return f
						}
					}
					return memtable.Fault{}
				})
				for range 3 {
					l := r.acquire(a, "k", time.Minute)
					time.Sleep(5 * time.Second)
					if err := l.Check(); err != nil {
						t.Errorf("%s %+v: %v", verb, f, err)
					}
					l.Release()
				}
				lb := r.acquire(b, "k", time.Minute)
				if got := len(a.Sessions()); got != 1 {
					t.Errorf("%s %+v: %d sessions", verb, f, got)
				}
				lb.Release()
				r.close(a, b)
				time.Sleep(time.Minute)
				if n := r.srv.Locks(); n != 0 {
					t.Errorf("%s %+v: %d locks left", verb, f, n)
				}
			})
		}
	}
}
