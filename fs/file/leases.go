package file

import (
	"context"
	"sync"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// gateWait is how long a new local user of a lease that another host wants waits for the
// present users to be done. Then it goes on: a strict gate would deadlock
// `exec 5>>f; echo x >>f` (LOCKS P2).
const gateWait = time.Second

// leases shares each key's lease among its users in this process: at most one is acquired
// at a time, and it is released when its last user is done.
type leases struct {
	locks Locks
	host  string
	quit  chan struct{} // closed at the end of the table

	mu   sync.Mutex
	keys map[string]*leaseKey
}

// A leaseKey is one key that somebody holds or waits for. Its fields are guarded by
// leases.mu, except gate.
type leaseKey struct {
	gate  chan struct{} // one slot: held while the lease is acquired
	users int           // callers in acquire
	cur   *grant        // nil while no lease is held
}

// A grant is one lease and its users.
type grant struct {
	lease  Lease
	refs   int
	wanted bool
	idle   *time.Timer   // runs while the lease is kept without users
	zero   chan struct{} // closed when the last user is done
	done   chan struct{} // closed when the lease was released or replaced
}

// A hold is one user's share in a lease. It is a store.Permit.
type hold struct {
	s   *leases
	key string
	g   *grant

	once sync.Once
}

func newLeases(l Locks, host string) *leases {
	return &leases{locks: l, host: host, quit: make(chan struct{}), keys: make(map[string]*leaseKey)}
}

// acquire takes a share in the key's lease, waiting at most wait. Its errors are those of
// Locks.Acquire.
func (s *leases) acquire(ctx context.Context, key string, wait time.Duration) (*hold, error) {
	began := time.Now()
	k := s.enter(key)
	defer s.leave(key, k)
	timer := time.NewTimer(max(wait-time.Since(began), 0))
	defer timer.Stop()
	select {
	case k.gate <- struct{}{}:
	default:
		select {
		case k.gate <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			return nil, &lockmgr.HeldError{Key: key, Host: s.host, Since: began, Waited: time.Since(began)}
		}
	}
	defer func() { <-k.gate }()
	if h := s.share(key, k); h != nil {
		return h, nil
	}
	lease, err := s.locks.Acquire(ctx, key, max(wait-time.Since(began), 0))
	if err != nil {
		return nil, err
	}
	g := &grant{lease: lease, refs: 1, zero: make(chan struct{}), done: make(chan struct{})}
	s.mu.Lock()
	k.cur = g
	s.mu.Unlock()
	go s.watch(key, k, g)
	return &hold{s: s, key: key, g: g}, nil
}

func (s *leases) enter(key string) *leaseKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[key]
	if k == nil {
		k = &leaseKey{gate: make(chan struct{}, 1)}
		s.keys[key] = k
	}
	k.users++
	return k
}

func (s *leases) leave(key string, k *leaseKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.users--
	s.forget(key, k)
}

// forget drops a key that nobody uses. s.mu is held.
func (s *leases) forget(key string, k *leaseKey) {
	if k.users == 0 && k.cur == nil && s.keys[key] == k {
		delete(s.keys, key)
	}
}

// yield lets another host's wish for a key that is held here go first, for a while: it
// waits until the present users are done.
func (s *leases) yield(ctx context.Context, key string) error {
	s.mu.Lock()
	k := s.keys[key]
	if k == nil || k.cur == nil || !k.cur.wanted || k.cur.refs == 0 {
		s.mu.Unlock()
		return nil
	}
	zero := k.cur.zero
	s.mu.Unlock()
	return pause(ctx, gateWait, zero)
}

// share joins the lease that is held, if it is not lost.
func (s *leases) share(key string, k *leaseKey) *hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := k.cur
	if g == nil {
		return nil
	}
	select {
	case <-g.lease.Lost():
		s.drop(key, k, g)
		return nil
	default:
	}
	if g.idle != nil {
		g.idle.Stop()
		g.idle = nil
		g.zero = make(chan struct{})
	}
	g.refs++
	return &hold{s: s, key: key, g: g}
}

// watch waits for another host's wish and for the loss of a lease.
func (s *leases) watch(key string, k *leaseKey, g *grant) {
	select {
	case <-g.done:
	case <-s.quit:
	case <-g.lease.Lost():
		s.mu.Lock()
		defer s.mu.Unlock()
		if g.refs == 0 && k.cur == g {
			s.drop(key, k, g)
		}
	case <-g.lease.Wanted():
		s.mu.Lock()
		defer s.mu.Unlock()
		g.wanted = true
		if g.refs == 0 && g.idle == nil && k.cur == g {
			s.drop(key, k, g)
		}
	}
}

// drop gives the lease back. s.mu is held.
func (s *leases) drop(key string, k *leaseKey, g *grant) {
	if g.idle != nil {
		g.idle.Stop()
	}
	if k.cur == g {
		k.cur = nil
		close(g.done)
		g.lease.Release()
	}
	s.forget(key, k)
}

// release ends the share; if nobody else uses it the lease itself is kept for keep, also
// when another host wants it. Releasing twice is harmless.
func (h *hold) release(keep time.Duration) {
	h.once.Do(func() {
		s, g := h.s, h.g
		s.mu.Lock()
		defer s.mu.Unlock()
		g.refs--
		if g.refs > 0 {
			return
		}
		close(g.zero)
		k := s.keys[h.key]
		if k == nil || k.cur != g {
			return // lost, and replaced by another
		}
		if keep > 0 {
			g.idle = time.AfterFunc(keep, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				if g.refs == 0 {
					s.drop(h.key, k, g)
				}
			})
			return
		}
		s.drop(h.key, k, g)
	})
}

// Check is that of the lease.
func (h *hold) Check() error { return h.g.lease.Check() }

// lost is closed when the lease is gone for good.
func (h *hold) lost() <-chan struct{} { return h.g.lease.Lost() }

// ended is closed when the lease was given back or replaced.
func (h *hold) ended() <-chan struct{} { return h.g.done }

// close gives back every lease that is kept without users and ends the watching of the
// others.
func (s *leases) close() {
	close(s.quit)
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, k := range s.keys {
		if k.cur != nil && k.cur.refs == 0 {
			s.drop(key, k, k.cur)
		}
	}
}
