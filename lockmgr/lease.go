package lockmgr

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Lease is the right to write one key. It satisfies the store's Permit.
type Lease struct {
	m     *Manager
	s     *session
	slot  *slot
	key   string
	nonce string

	released   atomic.Bool
	wanted     chan struct{}
	wantedOnce sync.Once
}

// Key returns the key that the lease is for.
func (l *Lease) Key() string { return l.key }

// Check returns nil while the lease is proved valid: requests that change the key may start.
// ErrExpired: there is no proof at the moment, but a good heartbeat may bring it back.
// ErrLost: never again, or the lease was released.
func (l *Lease) Check() error {
	if l.released.Load() {
		return ErrLost
	}
	return l.s.check(l.m.now())
}

// Lost is closed when the session that obtained the lease was found dead.
func (l *Lease) Lost() <-chan struct{} { return l.s.lost }

// Wanted is closed when another host asked for the key.
func (l *Lease) Wanted() <-chan struct{} { return l.wanted }

// Release gives the lease up. It returns at once; the lock record is removed in the background,
// however many tries that takes. It must be called only when no request made under the lease is
// unanswered: such a request could still land after the next holder has begun. Calling it again
// does nothing.
func (l *Lease) Release() {
	if l.released.Swap(true) {
		return
	}
	m := l.m
	m.inBackground(func() {
		defer m.done()
		m.remove(m.life, l.key, l.nonce, func(err error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if l.slot.lease == l {
				l.slot.stuck = err
			}
		})
		m.mu.Lock()
		defer m.mu.Unlock()
		if l.slot.lease == l { // else the session was lost, and the slot vacated then
			m.vacate(l.slot)
		}
	})
}

// want closes Wanted.
func (l *Lease) want() { l.wantedOnce.Do(func() { close(l.wanted) }) }

// remove deletes the lock of a key by its nonce until that was answered or ctx ends. Each try
// that was not answered is told to failed.
func (m *Manager) remove(ctx context.Context, key, nonce string, failed func(error)) {
	b := pauses(50*time.Millisecond, max(time.Second, m.cfg.Beat))
	warned := false
	for {
		var err error
		select {
		case m.wire <- struct{}{}:
			err = m.attempt(ctx, func(ctx context.Context) error { return m.table.ReleaseLock(ctx, m.name(key), nonce) })
			<-m.wire
		case <-ctx.Done():
			return
		}
		if err == nil {
			return
		}
		failed(err)
		if final(err) && !warned {
			warned = true
			m.log.Error("lock cannot be released", "key", key, "err", err)
		}
		if !b.Wait(ctx, nil) {
			return
		}
	}
}
