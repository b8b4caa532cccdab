package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// errOtherHolder: the lease was lost and another session holds the name now. Sending would
// make the rightful holder fail.
var errOtherHolder = errors.New("the lease was lost and another host has it")

// errBaseGone: something else than the base was found under the name of a live file.
var errBaseGone = fmt.Errorf("it is not what the file was opened on: %w", store.ErrConflict)

// permit returns what allows a commit to send (LOCKS P5): the lease if it is valid; after
// a loss a new one, if the base is still there; and with the lock table out of reach, once,
// the right to a single attempt. f.op is held.
func (f *File) permit(ctx context.Context, m *commit) (store.Permit, error) {
	for began := time.Now(); ; {
		hold := f.lease()
		switch err := hold.Check(); {
		case err == nil:
			f.mu.Lock()
			f.core.proved()
			f.unlock()
			return hold, nil
		case errors.Is(err, lockmgr.ErrNoCredentials):
			return nil, err // to wait does not help whoever waits
		}
		lost := isClosed(hold.Lost())
		if lost {
			err := f.relock(ctx)
			if err == nil {
				continue
			}
			if !errors.Is(err, lockmgr.ErrUnavailable) {
				return nil, err
			}
		}
		// The table is out of reach. Whoever waits for the commit is told before his time is
		// up; a session that may still be revived has until then.
		if !m.single && (lost || time.Since(began) >= f.t.o.FlushTimeout/2) {
			m.single = true
			switch p, err := f.singleAttempt(ctx, m); {
			case err != nil:
				return nil, err
			case p != nil:
				return p, nil
			}
		}
		pause, wake := provePause, hold.Lost()
		if lost {
			pause, wake = tablePause, nil
		}
		wait.For(ctx, pause, wake)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// relock takes the lease again after its session was lost. It fails with errOtherHolder, with
// errBaseGone, and with lockmgr.ErrUnavailable. f.op is held.
func (f *File) relock(ctx context.Context) error {
	hold, err := f.t.leases.Acquire(ctx, f.name(), relockWait)
	if _, held := errors.AsType[*lockmgr.HeldError](err); held {
		return fmt.Errorf("%w: %w", errOtherHolder, err)
	}
	if err != nil {
		return err
	}
	return f.regain(ctx, hold)
}

// regain gives a live file whose lease was lost the share in a new one, if the base is still
// what is under the name; else it releases it and fails with errBaseGone. f.op is held.
func (f *File) regain(ctx context.Context, hold *lease.Hold) error {
	f.mu.Lock()
	key, base := f.core.key, f.core.content.base.Base() // neither changes while f.op is held
	f.unlock()
	stands, err := f.t.stands(ctx, key, base)
	if err == nil && !stands {
		err = errBaseGone
	}
	if err != nil {
		hold.Release(0)
		return err
	}
	f.mu.Lock()
	old := f.core.renew(hold)
	f.unlock()
	old.Release(0)
	f.t.watchers.Go(func() { f.watch(hold) })
	return nil
}

// watch waits for the loss of the lease. Then the file is looked at before its next commit,
// so that a program that writes on learns early that it is in vain: the file goes into
// conflict if another version is under the name, or if another host has the lease, who may
// write at any moment.
func (f *File) watch(hold *lease.Hold) {
	ctx := f.t.background
	select {
	case <-hold.Ended():
	case <-hold.Lost():
	case <-ctx.Done():
		return
	}
	if !isClosed(hold.Lost()) {
		return // given back
	}
	for f.lockOp(ctx) == nil {
		var err error
		if f.lease() == hold {
			err = f.relock(ctx)
			if errors.Is(err, errBaseGone) || errors.Is(err, errOtherHolder) {
				f.conflict(ctx, err)
			}
		}
		f.unlockOp()
		if err == nil || errors.Is(err, errBaseGone) || errors.Is(err, errOtherHolder) || !wait.For(ctx, tablePause, nil) {
			return
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
