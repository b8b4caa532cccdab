package lease

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// GateWait is how long a new local user of a lease that another host wants waits for the
// present users to be done. Then it goes on: a strict gate would deadlock
// `exec 5>>f; echo x >>f` (LOCKS P2).
const GateWait = time.Second

// A Pool shares the lease of each name among its users in this process: at most one is
// acquired at a time, and it is released when its last user is done.
type Pool struct {
	locks Locks
	host  string
	quit  chan struct{} // closed by Close

	mu    sync.Mutex
	names map[string]*entry
}

// An entry is one name that somebody holds or waits for. Its fields are guarded by Pool.mu,
// except gate.
type entry struct {
	gate  chan struct{} // one token: held while the lease is acquired
	users int           // callers in Acquire
	cur   *grant        // nil while no lease is held
}

// A grant is one lease and its users.
type grant struct {
	lease  Lease
	refs   int
	wanted bool
	idle   *time.Timer   // runs while the lease lingers without users
	zero   chan struct{} // closed when the last user is done
	done   chan struct{} // closed when the lease was released or replaced
	bar    chan struct{} // nobody joins until it is closed; nil while everybody may
}

// A Hold is one user's share in a lease.
type Hold struct {
	p    *Pool
	name string
	g    *grant

	// The fields below are guarded by Pool.mu.

	bars     bool // the grant is barred until this Hold is released
	released bool
}

// NewPool returns a pool without leases. host is the name of this host, for errors.
func NewPool(l Locks, host string) *Pool {
	return &Pool{locks: l, host: host, quit: make(chan struct{}), names: make(map[string]*entry)}
}

// Name is the name whose lease protects a key: that of a directory has no slash at its end.
func Name(key string) string { return strings.TrimSuffix(key, "/") }

// Acquire takes a share in the lease of the key's name, waiting at most wait. Its errors are
// those of Locks.Acquire.
func (p *Pool) Acquire(ctx context.Context, key string, wait time.Duration) (*Hold, error) {
	began := time.Now()
	name := Name(key)
	e := p.enter(name)
	defer p.leave(name, e)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case e.gate <- struct{}{}:
	default:
		select {
		case e.gate <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			return nil, &lockmgr.HeldError{Key: key, Host: p.host, Since: began, Waited: time.Since(began)}
		}
	}
	defer func() { <-e.gate }()
	for {
		h, bar := p.share(name, e)
		if h != nil {
			return h, nil
		}
		if bar == nil {
			break
		}
		select {
		case <-bar:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			return nil, &lockmgr.HeldError{Key: key, Host: p.host, Since: began, Waited: time.Since(began)}
		}
	}
	l, err := p.locks.Acquire(ctx, name, max(wait-time.Since(began), 0))
	if err != nil {
		return nil, err
	}
	g := &grant{lease: l, refs: 1, zero: make(chan struct{}), done: make(chan struct{})}
	p.mu.Lock()
	e.cur = g
	p.mu.Unlock()
	go p.watch(g)
	return &Hold{p: p, name: name, g: g}, nil
}

func (p *Pool) enter(name string) *entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.names[name]
	if e == nil {
		e = &entry{gate: make(chan struct{}, 1)}
		p.names[name] = e
	}
	e.users++
	return e
}

func (p *Pool) leave(name string, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.users--
	p.forget(name, e)
}

// forget drops a name that nobody uses. p.mu is held.
func (p *Pool) forget(name string, e *entry) {
	if e.users == 0 && e.cur == nil && p.names[name] == e {
		delete(p.names, name)
	}
}

// Yield lets another host's wish for a name that is held here go first, for a while: it waits
// until the present users are done.
func (p *Pool) Yield(ctx context.Context, key string) error {
	p.mu.Lock()
	e := p.names[Name(key)]
	if e == nil || e.cur == nil || !e.cur.wanted || e.cur.refs == 0 {
		p.mu.Unlock()
		return nil
	}
	zero := e.cur.zero
	p.mu.Unlock()
	timer := time.NewTimer(GateWait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-zero:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// share joins the lease that is held, if it is not lost. If nobody may join it, it returns
// what is to be waited for instead: also a lost lease is not replaced then, because what was
// sent under it may land all the same.
func (p *Pool) share(name string, e *entry) (*Hold, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := e.cur
	if g == nil {
		return nil, nil
	}
	if g.bar != nil {
		return nil, g.bar
	}
	select {
	case <-g.lease.Lost():
		p.drop(name, g)
		return nil, nil
	default:
	}
	if g.idle != nil {
		g.idle.Stop()
		g.idle = nil
		g.zero = make(chan struct{})
	}
	g.refs++
	return &Hold{p: p, name: name, g: g}, nil
}

// watch waits for another host's wish.
func (p *Pool) watch(g *grant) {
	select {
	case <-g.done:
	case <-p.quit:
	case <-g.lease.Wanted():
		p.mu.Lock()
		defer p.mu.Unlock()
		g.wanted = true
	}
}

// drop gives the lease back, unless it was lost and replaced by another. p.mu is held.
func (p *Pool) drop(name string, g *grant) {
	if g.idle != nil {
		g.idle.Stop()
	}
	e := p.names[name]
	if e == nil || e.cur != g {
		return
	}
	e.cur = nil
	close(g.done)
	g.lease.Release()
	p.forget(name, e)
}

// Close gives back every lease that lingers without users and ends the watching of the
// others.
func (p *Pool) Close() {
	close(p.quit)
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, e := range p.names {
		if e.cur != nil && e.cur.refs == 0 {
			p.drop(name, e.cur)
		}
	}
}

// Release ends the share. If nobody else uses the lease it stays here for linger, also when
// another host wants it, and then goes back. A second Release does nothing.
func (h *Hold) Release(linger time.Duration) {
	p, g := h.p, h.g
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.released {
		return
	}
	h.released = true
	if h.bars {
		close(g.bar)
		g.bar = nil
	}
	g.refs--
	if g.refs > 0 {
		return
	}
	close(g.zero)
	if linger > 0 {
		g.idle = time.AfterFunc(linger, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if g.refs == 0 {
				p.drop(h.name, g)
			}
		})
		return
	}
	p.drop(h.name, g)
}

// Share returns one more share in the same grant. The Hold must not be released yet.
func (h *Hold) Share() *Hold {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	h.g.refs++
	return &Hold{p: h.p, name: h.name, g: h.g}
}

// Bar keeps everybody else on this host from joining the lease until this Hold is released: a
// request that is sent under it may land at any moment.
func (h *Hold) Bar() {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if !h.released && h.g.bar == nil {
		h.bars, h.g.bar = true, make(chan struct{})
	}
}

// Check is that of the lease, so that a Hold is a store.Permit.
func (h *Hold) Check() error { return h.g.lease.Check() }

// Same tells whether both are shares in the same grant of a lease: it was not lost between
// them.
func (h *Hold) Same(o *Hold) bool { return h.g == o.g }

// Lost is closed when the lease is gone for good.
func (h *Hold) Lost() <-chan struct{} { return h.g.lease.Lost() }

// Ended is closed when the lease was given back or replaced.
func (h *Hold) Ended() <-chan struct{} { return h.g.done }
