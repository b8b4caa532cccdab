package file

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/lockmgr"
)

// A lockTable is shared by hosts; its leases can be lost and wanted at will.
type lockTable struct {
	mu       sync.Mutex
	held     map[string]*testLease
	acquired map[string]int
	down     bool
	freed    chan struct{} // closed and replaced when a lease is released
}

type testLease struct {
	l            *lockTable
	key          string
	lost, wanted chan struct{}
	isLost       bool
	isWanted     bool
	expired      bool
}

func newLockTable() *lockTable {
	return &lockTable{held: map[string]*testLease{}, acquired: map[string]int{}, freed: make(chan struct{})}
}

func (l *lockTable) Acquire(ctx context.Context, key string, wait time.Duration) (lease.Lease, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		l.mu.Lock()
		if l.down {
			l.mu.Unlock()
			return nil, lockmgr.ErrUnavailable
		}
		h := l.held[key]
		if h == nil {
			h = &testLease{l: l, key: key, lost: make(chan struct{}), wanted: make(chan struct{})}
			l.held[key] = h
			l.acquired[key]++
			l.mu.Unlock()
			return h, nil
		}
		if !h.isWanted {
			h.isWanted = true
			close(h.wanted)
		}
		freed := l.freed
		l.mu.Unlock()
		select {
		case <-freed:
		case <-timer.C:
			return nil, &lockmgr.HeldError{Key: key, Host: "there", Waited: wait}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *lockTable) Held(_ context.Context, key string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return false, lockmgr.ErrUnavailable
	}
	return l.held[key] != nil, nil
}

func (h *testLease) Check() error {
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	switch {
	case h.isLost:
		return lockmgr.ErrLost
	case h.expired:
		return lockmgr.ErrExpired
	case h.l.held[h.key] != h:
		return errors.New("used after its release")
	}
	return nil
}

func (h *testLease) Lost() <-chan struct{}   { return h.lost }
func (h *testLease) Wanted() <-chan struct{} { return h.wanted }

func (h *testLease) Release() {
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	h.l.free(h)
}

func (l *lockTable) free(h *testLease) {
	if l.held[h.key] == h {
		delete(l.held, h.key)
		close(l.freed)
		l.freed = make(chan struct{})
	}
}

// lose takes the lease of the key from its holder, as a kill of its session does.
func (l *lockTable) lose(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[key]
	h.isLost = true
	close(h.lost)
	l.free(h)
}

// steal takes the lease of the key from its holder and gives it to another host, in one step.
func (l *lockTable) steal(key string) *testLease {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[key]
	h.isLost = true
	close(h.lost)
	theirs := &testLease{l: l, key: key, lost: make(chan struct{}), wanted: make(chan struct{})}
	l.held[key] = theirs
	return theirs
}

// holds tells whether anybody holds the key.
func (l *lockTable) holds(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[key] != nil
}
