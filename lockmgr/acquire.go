package lockmgr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/internal/wait"
)

// The pauses between two looks at a lock that somebody else holds. With the requests for it a look
// has to come within a turn, which is given once for each wish.
const (
	pollFirst = 50 * time.Millisecond
	pollLast  = turnLong * 4 / 5
)

// Acquire obtains the lease of a key, waiting at most wait for whoever holds it; with wait 0
// it tries once. Within this process a second Acquire of a key waits for the release of the
// first. Errors are *HeldError, ErrUnavailable, ErrAccessDenied, ErrNoTable, ErrClosed and
// those of ctx.
func (m *Manager) Acquire(ctx context.Context, key string, wait time.Duration) (*Lease, error) {
	if err := m.begin(); err != nil {
		return nil, err
	}
	l, err := m.acquire(ctx, key, wait)
	if err != nil {
		m.done()
		return nil, fmt.Errorf("lock %q: %w", key, err)
	}
	return l, nil // counted until its release is answered
}

func (m *Manager) acquire(ctx context.Context, key string, wait time.Duration) (*Lease, error) {
	start := m.now()
	sl, err := m.enter(ctx, key, start, wait)
	if err != nil {
		return nil, err
	}
	m.giveTurn(ctx, sl, wait)
	a := &acquisition{m: m, slot: sl, name: m.name(key), start: start, wait: wait,
		poll: pauses(pollFirst, pollLast)}
	l, err := a.run(ctx)
	a.dropWatch()
	if err != nil {
		a.abandon()
		m.mu.Lock()
		m.vacate(sl)
		m.mu.Unlock()
		return nil, err
	}
	return l, nil
}

// An acquisition is one Acquire that has the slot of its key.
type acquisition struct {
	m           *Manager
	slot        *slot
	name        string
	start, wait time.Duration
	poll        wait.Backoff

	s     *session
	nonce string // of the attempts under s
	loose bool   // an attempt with nonce was not answered: it may have been applied

	watch  *watch // of the session that holds the lock
	mailed time.Duration
	held   Lock  // what stood in the way at the last look
	cause  error // why the table did not answer, if it did not at the last try
}

// run tries until the lease is obtained or the wait is over.
func (a *acquisition) run(ctx context.Context) (*Lease, error) {
	for {
		l, err := a.try(ctx)
		if l != nil || err != nil {
			return l, err
		}
		pause := a.poll.Next()
		left := a.start + a.wait - a.m.now()
		if left <= 0 {
			return nil, a.timeout()
		}
		if !wait.For(ctx, min(pause, left), a.m.closed) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return nil, ErrClosed
		}
	}
}

func (a *acquisition) timeout() error {
	if a.cause != nil {
		return a.cause
	}
	e := &HeldError{Key: a.slot.key, Host: a.held.Host, Since: a.held.Since, Waited: a.m.now() - a.start}
	if a.watch != nil {
		a.m.mu.Lock()
		defer a.m.mu.Unlock()
		e.User, e.PID = a.watch.user, a.watch.pid
	}
	return e
}

// try makes one round: obtain the lock if it is free, take it if its holder is gone, else tell
// the holder. It returns neither lease nor error if the lock cannot be had yet.
func (a *acquisition) try(ctx context.Context) (*Lease, error) {
	s, err := a.m.session(ctx)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if s != a.s { // the first round, or the session died meanwhile
		a.abandon()
		a.s, a.nonce = s, random()
	}
	seen := ""
	// A lock that changed since it was judged is judged again; after some changes in one
	// round the key is a busy one, and it is our turn to pause.
	for range 4 {
		got, err := a.ask(ctx, seen)
		a.cause = err
		switch {
		case err != nil:
			return nil, a.failed(ctx, err)
		case got.Nonce == a.nonce:
			return a.grant(ctx)
		case got.Nonce == "": // gone before it could be taken over
			seen = ""
			continue
		}
		a.held = got
		if !a.mayTake(ctx, got) {
			return nil, ctx.Err()
		}
		a.m.said.Say(a.m.said.Named(seldom.Kind{Op: "take"}, a.slot.key), slog.LevelInfo, "taking a lock over", a.slot.key, "from", got.SID, "host", got.Host)
		seen = got.Nonce
	}
	return nil, nil
}

// ask sends one attempt to write the lock under our nonce: where it is free, or over the
// lock with the nonce seen.
func (a *acquisition) ask(ctx context.Context, seen string) (got Lock, err error) {
	l := Lock{Name: a.name, SID: a.s.sid, Nonce: a.nonce, Host: a.m.o.Host, Since: time.Now()}
	err = a.m.attempt(ctx, func(ctx context.Context) error {
		if seen == "" {
			got, err = a.m.table.AcquireLock(ctx, l)
		} else {
			got, err = a.m.table.StealLock(ctx, l, seen)
		}
		return err
	})
	if err != nil && !final(err) || err == nil && got.Nonce == a.nonce {
		a.loose = true // until granted: what is not handed out must be removed
	}
	return got, err
}

// failed tells what ends the acquisition; a table that does not answer only ends the round.
func (a *acquisition) failed(ctx context.Context, err error) error {
	a.cause = err
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, ErrUnavailable) {
		return nil
	}
	return err
}

// grant makes the lease. Where the session is not proved alive at the moment (the table was
// away) it waits for a heartbeat: a lease that cannot be used is no answer to open.
func (a *acquisition) grant(ctx context.Context) (*Lease, error) {
	m := a.m
	for {
		renewal := a.s.renewal()
		err := a.s.check(m.now())
		if err == nil {
			break
		}
		if errors.Is(err, ErrLost) {
			return nil, nil // once more, with a new session
		}
		left := a.start + a.wait - m.now()
		timer := time.NewTimer(max(left, m.cfg.attempt()))
		select {
		case <-renewal:
			timer.Stop()
			continue
		case <-a.s.lost:
			timer.Stop()
			return nil, nil
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
			return nil, fmt.Errorf("no heartbeat: %w", ErrUnavailable)
		}
	}
	l := &Lease{m: m, s: a.s, slot: a.slot, key: a.slot.key, nonce: a.nonce, wanted: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-a.s.lost: // lose looked for leases under mu, before this one was there
		return nil, nil
	default:
	}
	a.loose = false
	a.slot.lease, a.slot.obtained = l, m.now()
	return l, nil
}

// abandon removes in the background what attempts under the present nonce may have left in the
// table. One that lands later still is found by the mail of whoever wants the key.
func (a *acquisition) abandon() {
	if !a.loose {
		return
	}
	a.loose = false
	m, key, nonce := a.m, a.slot.key, a.nonce
	m.more()
	m.inBackground(func() {
		defer m.done()
		m.remove(m.life, key, nonce, func(error) {})
	})
}

// mayTake judges the session that holds the lock. If that lives it is told of our wish.
func (a *acquisition) mayTake(ctx context.Context, held Lock) bool {
	m := a.m
	if m.isOwn(held.SID) {
		// We have the slot, so nothing of ours holds the key: a leftover of an acquisition
		// given up, or of a session of ours that died.
		return true
	}
	if a.watch == nil || a.watch.sid != held.SID {
		a.dropWatch()
		a.watch = m.watch(held.SID)
		a.mailed = 0
	}
	// The first look must be answered before a single try can tell.
	timer := time.NewTimer(m.cfg.attempt())
	defer timer.Stop()
	select {
	case <-a.watch.known:
	case <-ctx.Done():
		return false
	case <-timer.C:
		return false
	}
	if m.free(a.watch, a.slot.key) {
		return true
	}
	m.contest(a.slot)
	if now := m.now(); a.wait > 0 && (a.mailed == 0 || now >= a.mailed+m.cfg.Beat) {
		a.mailed = now
		// Courtesy: without it the lock is still free at the holder's close or death.
		_ = m.attempt(ctx, func(ctx context.Context) error { return m.table.SendMail(ctx, held.SID, a.name) })
	}
	return false
}

func (a *acquisition) dropWatch() {
	if a.watch != nil {
		a.m.unwatch(a.watch)
		a.watch = nil
	}
}

// final tells whether it is of no use to send the request again.
func final(err error) bool {
	return errors.Is(err, ErrAccessDenied) || errors.Is(err, ErrNoTable) || errors.Is(err, ErrForeignTable)
}
