package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// errOtherHolder: the lease was lost and another session holds the key now. Sending would
// make the rightful holder fail.
var errOtherHolder = errors.New("the lease was lost and another host has it")

// errBaseGone: when the lease was taken again the base was not there any more.
var errBaseGone = fmt.Errorf("after the lease was lost: %w", store.ErrConflict)

const (
	// relockWait is how long the lease of a lost session is asked for again.
	relockWait = time.Second
	// provePause is the pause between two looks at a lease that is not proved valid: a
	// good heartbeat may revive it.
	provePause = 200 * time.Millisecond
	// tablePause is the pause between two tries to reach the lock table.
	tablePause = 2 * time.Second
)

// permit returns what allows a commit to send (LOCKS P5): the lease if it is valid; after
// a loss a new one, if the base is still there; and with the lock table out of reach,
// once, the right to a single attempt, which the ETag decides. f.op is held.
func (f *File) permit(ctx context.Context, c *commit) (store.Permit, error) {
	for began := time.Now(); ; {
		f.mu.Lock()
		hold, stale := f.hold, f.stale
		f.mu.Unlock()
		switch err := hold.Check(); {
		case err == nil && stale:
			// Taken again since the loss, with another version under the name, whose ETag may
			// be that of the base.
			return nil, errBaseGone
		case err == nil:
			return hold, nil
		}
		if isClosed(hold.lost()) {
			err := f.relock(ctx, hold)
			switch {
			case err == nil:
				continue
			case !errors.Is(err, lockmgr.ErrUnavailable):
				return nil, err
			case !c.single:
				c.single = true
				return c.singleAttempt(), nil
			}
			if err := pause(ctx, tablePause, nil); err != nil {
				return nil, err
			}
			continue
		}
		// No heartbeat was answered for long. Whoever waits for the commit is told before his
		// time is up.
		if !c.single && time.Since(began) >= f.t.o.FlushTimeout/2 {
			c.single = true
			return c.singleAttempt(), nil
		}
		if err := pause(ctx, provePause, hold.lost()); err != nil {
			return nil, err
		}
	}
}

// relock takes the lease again after its session was lost. It fails with errOtherHolder,
// with store.ErrConflict if the base is not there any more, and with
// lockmgr.ErrUnavailable. f.op is held.
func (f *File) relock(ctx context.Context, old *hold) error {
	hold, err := f.t.leases.acquire(ctx, f.key, relockWait)
	if _, held := errors.AsType[*lockmgr.HeldError](err); held {
		return fmt.Errorf("%w: %w", errOtherHolder, err)
	}
	if err != nil {
		return err
	}
	info, err := f.t.current(ctx, f.key)
	if err != nil {
		hold.release(0)
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold = hold
	old.release(0)
	f.t.watchers.Go(func() { f.watch(hold) })
	f.stale = !sameVersion(f.base.Base(), info.Base())
	if f.stale {
		return errBaseGone
	}
	return nil
}

// watch waits for the loss of the lease. Then the file is looked at before its next
// commit, so that a program that writes on learns early that it is in vain.
func (f *File) watch(hold *hold) {
	ctx := f.t.background
	select {
	case <-hold.ended():
		return
	case <-ctx.Done():
		return
	case <-hold.lost():
	}
	for f.lockOp(ctx) == nil {
		f.mu.Lock()
		current := f.hold == hold
		f.mu.Unlock()
		var err error
		if current {
			err = f.relock(ctx, hold)
			if errors.Is(err, errOtherHolder) {
				f.mu.Lock()
				f.stale = true // whoever has the lease may change the file at any moment
				f.mu.Unlock()
			}
		}
		f.unlockOp()
		if !errors.Is(err, lockmgr.ErrUnavailable) || pause(ctx, tablePause, nil) != nil {
			return
		}
	}
}

// singleAttempt is a permit that ends with the first attempt whose outcome is unknown.
// Attempts that were surely not sent may be repeated.
func (c *commit) singleAttempt() store.Permit {
	p := &revocable{Permit: store.Unleased("the lock table is out of reach"), why: "the only attempt without a lease was made"}
	told := c.write.Unanswered
	c.write.Unanswered = func(err error) {
		p.revoked.Store(true)
		told(err)
	}
	return p
}

// pause waits for d, for c or for the end of ctx, which is its error.
func pause(ctx context.Context, d time.Duration, c <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
