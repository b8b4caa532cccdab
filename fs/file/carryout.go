package file

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A nameChange is a change of the bucket that somebody waits for under the kernel's lock of
// a directory, so that he is answered soon, whatever becomes of it.
type nameChange struct {
	keys   []string
	permit store.Permit
	// run sends the requests and applies what they did.
	run func(ctx context.Context, p store.Permit, w waiter) error
	// release gives the names back; if the change was not answered, without their leases.
	release func(unanswered bool)
}

// A waiter waits for a nameChange and is told how it goes. Every function may be called from
// any goroutine and more than once.
type waiter struct {
	// unanswered is told that the outcome of an attempt has become unknown.
	unanswered func(error)
	progress   func(n int64)
	// landed is told that the change is made, although run has still to wait for something.
	landed func()
}

// carryOut runs a change of names and releases the names once its outcome is known. The
// caller does not wait for that longer than the limits above: then he gets
// store.ErrUnknownOutcome, nothing is sent any more, and the rest goes on in the background
// with the leases held, which the caller has barred: until then nobody else here may have the
// names. The leases are never given back if the table ends before the outcome is known.
func (t *Table) carryOut(c nameChange) error {
	p := &revocable{Permit: c.permit, why: "nobody waits for it any more"}
	unknown, landed := make(chan struct{}), make(chan struct{})
	var onceUnknown, onceLanded sync.Once
	done := make(chan error, 1)
	patience := startPatience(reachWait, func(*patience) {})
	defer patience.stop()
	w := waiter{
		unanswered: func(error) { onceUnknown.Do(func() { close(unknown) }) },
		progress:   func(int64) { patience.reset() },
		landed:     func() { onceLanded.Do(func() { close(landed) }) },
	}
	t.work.Go(func() {
		err := c.run(t.background, p, w)
		unanswered := errors.Is(err, store.ErrUnknownOutcome)
		if unanswered {
			t.unknown(c.keys)
		}
		c.release(unanswered)
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-landed:
		return nil
	case <-patience.over():
	case <-unknown:
		timer := time.NewTimer(unknownWait)
		defer timer.Stop()
		select {
		case err := <-done:
			return err
		case <-landed:
			return nil
		case <-timer.C:
		}
	}
	p.revoked.Store(true)
	return store.ErrUnknownOutcome
}

// unknown notes keys whose outcome nobody will learn in this process.
func (t *Table) unknown(keys []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range keys {
		t.lost = append(t.lost, Left{Key: key, Reason: "the outcome of the last request is unknown", Unanswered: true})
	}
}

// staleConflict tells whoever asked for a change of names to look at them again.
func staleConflict(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%w: %w", ErrStale, err)
	}
	return err
}

// revocable is a permit that its owner can end.
type revocable struct {
	store.Permit
	why     string // it was ended
	revoked atomic.Bool
}

// Check is that of the permit until it was ended.
func (p *revocable) Check() error {
	if p.revoked.Load() {
		return fmt.Errorf("%w: %s", store.ErrNotPermitted, p.why)
	}
	return p.Permit.Check()
}

// both is the permit of what needs two leases.
type both [2]store.Permit

// Check fails if either is not valid.
func (b both) Check() error {
	if err := b[0].Check(); err != nil {
		return err
	}
	return b[1].Check()
}
