package lease

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// A table hands out leases of names that can be lost and wanted at will.
type table struct {
	mu    sync.Mutex
	held  map[string]*given
	names []string // that were acquired, in order
}

type given struct {
	t            *table
	name         string
	lost, wanted chan struct{}
}

func newTable() *table { return &table{held: map[string]*given{}} }

func (t *table) Acquire(_ context.Context, name string, wait time.Duration) (Lease, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[name] != nil {
		return nil, &lockmgr.HeldError{Key: name, Waited: wait}
	}
	g := &given{t: t, name: name, lost: make(chan struct{}), wanted: make(chan struct{})}
	t.held[name] = g
	t.names = append(t.names, name)
	return g, nil
}

func (t *table) Held(_ context.Context, name string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held[name] != nil, nil
}

func (g *given) Check() error            { return nil }
func (g *given) Lost() <-chan struct{}   { return g.lost }
func (g *given) Wanted() <-chan struct{} { return g.wanted }

func (g *given) Release() {
	g.t.mu.Lock()
	defer g.t.mu.Unlock()
	if g.t.held[g.name] == g {
		delete(g.t.held, g.name)
	}
}

// lose takes the lease of the name away.
func (t *table) lose(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.held[name].lost)
	delete(t.held, name)
}

// want asks for the name as another host.
func (t *table) want(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.held[name].wanted)
}

func (t *table) holds(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held[name] != nil
}

// world runs a test with a pool over a table, which has to be empty at its end.
func world(t *testing.T, f func(t *testing.T, p *Pool, l *table)) {
	synctest.Test(t, func(t *testing.T) {
		l := newTable()
		p := NewPool(l, "here")
		f(t, p, l)
		p.Close()
		synctest.Wait()
		if len(l.held) > 0 || len(p.names) > 0 {
			t.Errorf("left: leases %v, names %v", l.held, p.names)
		}
	})
}

// acquire takes a share in the lease of a key that has to be had at once.
func acquire(t *testing.T, p *Pool, key string) *Hold {
	t.Helper()
	h, err := p.Acquire(t.Context(), key, 0)
	if err != nil {
		t.Fatalf("%q: %v", key, err)
	}
	return h
}

// busy tells that nobody can join the lease of the key now.
func busy(t *testing.T, p *Pool, key string) bool {
	t.Helper()
	h, err := p.Acquire(t.Context(), key, time.Second)
	if err == nil {
		h.Release(0)
		return false
	}
	if _, held := errors.AsType[*lockmgr.HeldError](err); !held {
		t.Errorf("%q: %v", key, err)
	}
	return true
}

// A lease is shared by its users and goes back with the last of them; the object and the
// directory of a name have one.
func TestShares(t *testing.T) {
	world(t, func(t *testing.T, p *Pool, l *table) {
		a := acquire(t, p, "n")
		b := acquire(t, p, "n/")
		c := a.Share()
		if !a.Same(b) || !a.Same(c) || !slices.Equal(l.names, []string{"n"}) {
			t.Errorf("leases were acquired of %q", l.names)
		}
		for _, h := range []*Hold{a, a, c, c} { // a second release does nothing
			h.Release(0)
		}
		if !l.holds("n") {
			t.Error("given back while it is shared")
		}
		b.Release(0)
		if l.holds("n") {
			t.Error("not given back")
		}
		<-b.Ended()
	})
}

// Nobody joins a lease that is barred, or replaces it if it is lost, until whoever barred it is
// done. Others may have shares meanwhile.
func TestBar(t *testing.T) {
	for _, lost := range []bool{false, true} {
		world(t, func(t *testing.T, p *Pool, l *table) {
			a := acquire(t, p, "n")
			b := acquire(t, p, "n")
			a.Bar()
			b.Bar() // it is barred already
			b.Release(0)
			if lost {
				l.lose("n")
				synctest.Wait()
			}
			if !busy(t, p, "n/") {
				t.Error("joined")
			}
			time.AfterFunc(time.Second, func() { a.Release(0) })
			c, err := p.Acquire(t.Context(), "n", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if c.Same(a) {
				t.Error("joined a lease that was given back")
			}
			a.Bar() // of what it has no share in
			if busy(t, p, "n") {
				t.Error("barred by somebody who has no share any more")
			}
			c.Release(0)
		})
	}
}

// The bar ends with the Hold that set it, although others share the lease.
func TestBarEnds(t *testing.T) {
	world(t, func(t *testing.T, p *Pool, l *table) {
		a := acquire(t, p, "n")
		b := a.Share()
		a.Bar()
		a.Release(0)
		a.Bar()
		if busy(t, p, "n") {
			t.Error("still barred")
		}
		b.Release(0)
	})
}

// A lost lease that is kept is of no use to anybody.
func TestLostWhileKept(t *testing.T) {
	world(t, func(t *testing.T, p *Pool, l *table) {
		acquire(t, p, "n").Release(time.Minute)
		l.lose("n")
		a := acquire(t, p, "n")
		time.Sleep(2 * time.Minute)
		if !l.holds("n") || len(l.names) != 2 {
			t.Errorf("held: %v, acquired %q", l.holds("n"), l.names)
		}
		a.Release(0)
	})
}

// A lost lease is not shared with anybody new.
func TestLost(t *testing.T) {
	world(t, func(t *testing.T, p *Pool, l *table) {
		a := acquire(t, p, "n")
		l.lose("n")
		<-a.Lost()
		b := acquire(t, p, "n")
		if a.Same(b) || len(l.names) != 2 {
			t.Errorf("shared; acquired %q", l.names)
		}
		a.Release(0)
		if !l.holds("n") {
			t.Error("the old share has given the new lease back")
		}
		b.Release(0)
	})
}

// A lease is kept for as long as its last user says, also if another host wants it.
func TestKept(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		world(t, func(t *testing.T, p *Pool, l *table) {
			acquire(t, p, "n").Release(time.Minute)
			time.Sleep(30 * time.Second)
			if wanted {
				l.want("n")
			}
			time.Sleep(29 * time.Second)
			if !l.holds("n") {
				t.Error("given back too early")
			}
			time.Sleep(2 * time.Second)
			if l.holds("n") {
				t.Error("still held")
			}
		})
	}
}

// The time begins anew with each last user.
func TestKeptAgain(t *testing.T) {
	world(t, func(t *testing.T, p *Pool, l *table) {
		acquire(t, p, "n").Release(time.Minute)
		time.Sleep(30 * time.Second)
		acquire(t, p, "n").Release(time.Minute)
		time.Sleep(59 * time.Second)
		if !l.holds("n") || len(l.names) != 1 {
			t.Errorf("held: %v, acquired %q", l.holds("n"), l.names)
		}
		time.Sleep(2 * time.Second)
		if l.holds("n") {
			t.Error("still held")
		}
	})
}

// Whoever comes in the moment in which the time is over keeps the lease.
func TestKeptInTheLastMoment(t *testing.T) {
	world(t, func(t *testing.T, p *Pool, l *table) {
		acquire(t, p, "n").Release(time.Minute)
		p.mu.Lock()
		time.Sleep(time.Minute)
		g := p.names["n"].cur
		g.refs++
		p.mu.Unlock()
		synctest.Wait()
		if !l.holds("n") {
			t.Error("given back while it is used")
		}
		g.zero = make(chan struct{})
		(&Hold{p: p, name: "n", g: g}).Release(0)
	})
}

// Close gives back what nobody uses, and a pool forgets what it does not hold (see world).
func TestClose(t *testing.T) {
	world(t, func(t *testing.T, p *Pool, l *table) { acquire(t, p, "n").Release(time.Minute) })
}

// A new user lets another host's wish go first: until the present users are done, but no longer
// than GateWait.
func TestYield(t *testing.T) {
	world(t, func(t *testing.T, p *Pool, l *table) {
		waits := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			if err := p.Yield(t.Context(), "n/"); err != nil || time.Since(began) != want {
				t.Errorf("waited %v, want %v; %v", time.Since(began), want, err)
			}
		}
		waits(0)
		a := acquire(t, p, "n")
		waits(0)
		l.want("n")
		synctest.Wait()
		waits(GateWait)
		time.AfterFunc(GateWait/2, func() { a.Release(0) })
		waits(GateWait / 2)
	})
}
