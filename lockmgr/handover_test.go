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

// Two hosts that open, write and close in a loop take turns, though each knows best when its own
// lock becomes free: nobody waits longer than until the other one's heartbeat has brought the wish,
// which may have to be sent twice, and for a turn before and after that. How often they change is a
// matter of chance.
func TestHandover(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			hosts := []*host{r.host("a"), r.host("b")}
			const each = 100
			gap := time.Duration(seed) * 5 * time.Millisecond // between two uses, at most
			longest := make(chan time.Duration)
			for i, h := range hosts {
				rng := rand.New(rand.NewPCG(seed, uint64(i)))
				ms := func() time.Duration { return time.Duration(rng.IntN(21)) * time.Millisecond }
				h.table.SetFaults(func(string) memtable.Fault { return memtable.Fault{Delay: 3 * time.Millisecond} })
				go func() {
					var most time.Duration
					defer func() { longest <- most }()
					for range each {
						began := time.Now()
						l, err := h.Acquire(t.Context(), "k", 100*time.Second)
						if err != nil {
							t.Error(err)
							return
						}
						most = max(most, time.Since(began))
						time.Sleep(100*time.Millisecond + 5*ms())
						l.Release()
						time.Sleep(min(ms(), gap))
					}
				}()
			}
			began := time.Now()
			for range hosts {
				most := <-longest
				t.Logf("seed %d: the longest wait was %s", seed, most)
				if most > 2*times.Beat+3*time.Second {
					t.Errorf("seed %d: somebody waited %s", seed, most)
				}
			}
			took := time.Since(began)
			t.Logf("seed %d: took %s", seed, took)
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

// A wish is not lost that comes while the key is being acquired here, or while a turn that was given
// for an earlier wish comes to its end: after the next release the other host has a second.
func TestWishWhileAcquiring(t *testing.T) {
	const key = bucketID + "\x00k"
	for name, wish := range map[string]func(t *testing.T, r *rig, a *host){
		"acquiring": func(t *testing.T, r *rig, a *host) {
			a.table.SetFaults(func(verb string) (f memtable.Fault) {
				if verb == "acquire" {
					f.Delay = times.Beat + 200*time.Millisecond
				}
				return f
			})
			go func() {
				time.Sleep(time.Second)
				if err := r.srv.Table().SendMail(t.Context(), "a.1", key); err != nil {
					t.Error(err)
				}
			}()
			r.acquire(a, "k", time.Minute).Release()
			a.table.SetFaults(nil)
		},
		"giving a turn": func(t *testing.T, r *rig, a *host) {
			mail := func() {
				if err := r.srv.Table().SendMail(t.Context(), "a.1", key); err != nil {
					t.Error(err)
				}
			}
			l := r.acquire(a, "k", 0)
			mail()
			<-l.Wanted()
			time.Sleep(times.Beat + times.Beat/2) // until that mail was collected
			mail()
			time.Sleep(times.Beat/2 - 500*time.Millisecond)
			l.Release()
			synctest.Wait()
			r.acquire(a, "k", time.Minute).Release() // after the turn, in which the mail comes
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				a := r.host("a")
				r.acquire(a, "other", 0).Release() // the session is there
				wish(t, r, a)
				synctest.Wait()
				began := time.Now()
				r.acquire(a, "k", time.Minute).Release()
				if took := time.Since(began); took < time.Second {
					t.Errorf("the other host had %s", took)
				}
				r.close(a)
			})
		})
	}
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
