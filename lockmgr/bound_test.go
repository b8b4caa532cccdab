package lockmgr_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// A bond is what Bound reads.
type bond struct {
	mu    sync.Mutex
	says  error
	hangs bool
	first func() // is called before the first answer
	asked []bool // starting, of each question
}

func (b *bond) bound(ctx context.Context, starting bool) error {
	b.mu.Lock()
	says, hangs := b.says, b.hangs
	b.asked = append(b.asked, starting)
	first := b.first
	b.first = nil
	b.mu.Unlock()
	if first != nil {
		first()
	}
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return says
}

func (b *bond) set(says error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.says = says
}

func (b *bond) questions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

var errMoved = fmt.Errorf("bound to another: %w", lockmgr.ErrUnbound)

func (r *rig) bound(name string) (*host, *bond) {
	b := &bond{}
	return r.host(name, func(o *lockmgr.Options) { o.Bound = b.bound }), b
}

// LOCKS P1: no lease is given before the bond was read with the session in the table. A table that is
// not the one is told at once, leaves no living session, and no second one.
func TestUnboundAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		h, b := r.bound("a")
		b.set(errMoved)
		b.first = func() {
			if s, err := r.srv.Table().GetSession(t.Context(), "a.1"); err != nil || s.State != lockmgr.Alive {
				t.Errorf("asked before the session is in the table: %+v, %v", s, err)
			}
		}
		for range 2 {
			if _, err := h.Acquire(t.Context(), "k", time.Minute); !errors.Is(err, lockmgr.ErrUnbound) || errors.Is(err, lockmgr.ErrUnavailable) {
				t.Errorf("Acquire: %v", err)
			}
		}
		if s, err := r.srv.Table().GetSession(t.Context(), "a.1"); err != nil || s.State != lockmgr.Closed || len(h.Sessions()) != 1 {
			t.Errorf("session %+v, %v; of %q", s, err, h.Sessions())
		}
		b.set(errors.New("no answer"))
		if _, err := h.Acquire(t.Context(), "k", time.Second); !errors.Is(err, lockmgr.ErrUnavailable) {
			t.Errorf("Acquire without an answer: %v", err)
		}
		b.set(nil)
		r.acquire(h, "k", time.Second).Release()
		for i, starting := range b.asked {
			if !starting {
				t.Errorf("question %d is not that of a start", i)
			}
		}
		r.close(h)
	})
}

// A living session learns within BoundTerm that the bucket was bound to another table, and ends.
func TestUnboundWhileInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		h, b := r.bound("a")
		l := r.acquire(h, "k", 0)
		time.Sleep(5 * time.Minute)
		if n := b.questions(); l.Check() != nil || n < 25 || n > 35 {
			t.Errorf("after 5 minutes: %v, %d questions", l.Check(), n)
		}
		b.set(errMoved)
		began := time.Now()
		<-l.Lost()
		if took := time.Since(began); took > lockmgr.BoundTerm/2 {
			t.Errorf("lost after %s", took)
		}
		beats := h.Requests()["beat"]
		time.Sleep(time.Minute)
		if now := h.Requests()["beat"]; now > beats+1 {
			t.Errorf("%d heartbeats after the end", now-beats)
		}
		l.Release()
		b.set(nil)
		r.acquire(h, "k", 2*time.Minute).Release()
		r.close(h)
	})
}

// While the bucket is silent nothing can be changed in it: leases stay as they are.
func TestBondThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		h, b := r.bound("a")
		l := r.acquire(h, "k", 0)
		b.mu.Lock()
		b.hangs = true
		b.mu.Unlock()
		for range 300 {
			time.Sleep(time.Second)
			if err := l.Check(); err != nil {
				t.Fatalf("the lease: %v", err)
			}
		}
		l.Release()
		r.close(h)
	})
}

// Who was suspended asks before a lease is valid again, also where his heartbeats are answered first. So BoundTerm
// after the bond has changed nobody has a valid lease who has not asked since.
func TestUnboundWhileSuspended(t *testing.T) {
	for _, pause := range []time.Duration{10 * time.Second, lockmgr.BoundTerm, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.cfg.Lease = 2 * time.Hour // so that the heartbeats alone prove it
			h, b := r.bound("a")
			l := r.acquire(h, "k", 0)
			time.Sleep(9 * time.Second)
			b.set(errMoved)
			h.behind.Add(int64(pause))
			for passed := pause; passed < 2*time.Hour && l.Check() != lockmgr.ErrLost; passed += time.Millisecond {
				if passed >= lockmgr.BoundTerm && l.Check() == nil {
					t.Fatalf("%s after the change, and a pause of %s, the lease is valid", passed, pause)
				}
				time.Sleep(time.Millisecond)
			}
			l.Release()
			b.set(nil)
			h.Close(t.Context())
		})
	}
}
