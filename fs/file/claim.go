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

// A claim is a name that is locked in this process, leased, and looked at. Whoever makes,
// opens for write, replaces, changes or removes what is under a name has one first.
//
// What a claim finds never becomes the base of a live file (LOCKS P3): a live file under whose
// name another version is found goes into conflict. If that is found when the name is
// claimed, because the lease was lost meanwhile, the claim fails with ErrStale.
type claim struct {
	f    *File
	hold *lease.Hold
	// found is what is under the name: the base of a live file, else what the bucket says.
	// Its ETag is zero where nothing is.
	found store.Info
	// above is what is above a name that is to be made.
	above parent
	// baseGone: another version was found since under the name of the file, which is live.
	baseGone bool
	// twin is what the name would be as the other kind of thing, locked as well; nil if it is not.
	twin *File
}

// claim takes a name, waiting at most limit for whoever has it here or on another host. beside,
// if not nil, looks at more than the object of the key, under the lease and beside the HEAD;
// its error is returned. claim fails with ErrStale if the name changed hands meanwhile, with
// *lockmgr.HeldError, with lockmgr.ErrUnavailable if the lease cannot be proved valid, and with
// the errors of a HEAD.
func (t *Table) claim(ctx context.Context, key string, limit time.Duration, beside look) (*claim, error) {
	f, err := t.enter(key)
	if err != nil {
		return nil, err
	}
	return t.claimOf(ctx, f, key, limit, beside)
}

// claimOf is claim of a file that was entered already.
func (t *Table) claimOf(ctx context.Context, f *File, key string, limit time.Duration, beside look) (*claim, error) {
	for until := time.Now().Add(limit); ; {
		err := f.lockName(ctx, key, max(time.Until(until), 0))
		if err != nil {
			f.leave()
			return nil, err
		}
		c := &claim{f: f}
		live, turn := f.lease() != nil, until
		if next := time.Now().Add(relockWait); live && next.Before(until) {
			turn = next // others need the op lock too, to save the file or to give it up
		}
		err = c.take(ctx, key, turn, beside)
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, errBaseGone), errors.Is(err, errOtherHolder):
			f.leaveInConflict(err)
			return nil, ErrStale
		}
		f.unlockOp()
		if live && errors.Is(err, lockmgr.ErrUnavailable) && time.Now().Before(until) {
			if wait.For(ctx, provePause, nil) {
				continue
			}
			err = context.Cause(ctx)
		}
		f.leave()
		return nil, err
	}
}

// take leases the name and looks at it. f.op is held.
func (c *claim) take(ctx context.Context, key string, until time.Time, beside look) error {
	hold, err := c.f.t.proved(ctx, key, until)
	if _, held := errors.AsType[*lockmgr.HeldError](err); held {
		if was := c.f.lease(); was != nil && isClosed(was.Lost()) {
			return fmt.Errorf("%w: %w", errOtherHolder, err)
		}
	}
	if err != nil {
		return err
	}
	var looks looking
	if beside != nil {
		looks.ask(func() error { return beside(ctx, c) })
	}
	found, err := c.f.under(ctx, key, hold)
	switch said := looks.wait(); {
	case err != nil:
		hold.Release(0)
		return err
	case said != nil:
		hold.Release(staleLinger) // the caller may try something else at once
		return said
	}
	c.hold, c.found = hold, found
	return nil
}

// lease returns the share of a live file in its lease, which may be lost; nil if it is not live.
func (f *File) lease() *lease.Hold {
	f.mu.Lock()
	defer f.unlock()
	if l := f.core.live(); l != nil {
		return l.hold
	}
	return nil
}

// under finds what is under the name of the file: the base of a live file, else what the
// bucket says. It fails with errBaseGone if the file is live on another version. f.op is held.
func (f *File) under(ctx context.Context, key string, hold *lease.Hold) (store.Info, error) {
	f.mu.Lock()
	l, base := f.core.live(), f.core.content.base
	f.unlock()
	switch {
	case l == nil:
		return f.t.current(ctx, key)
	case !l.hold.Same(hold):
		// The lease was lost since the file was begun, and this is a new one.
		return base, f.regain(ctx, hold.Share())
	}
	return base, nil
}

// proved takes a share in the lease of a name that is proved valid. A lease whose heartbeats
// are not answered may be proved again, or be lost and be had anew.
func (t *Table) proved(ctx context.Context, key string, until time.Time) (*lease.Hold, error) {
	for {
		left := max(time.Until(until), 0)
		hold, err := t.leases.Acquire(ctx, key, left)
		if err != nil {
			return nil, err
		}
		why := hold.Check()
		if why == nil {
			return hold, nil
		}
		lost := hold.Lost()
		hold.Release(0)
		switch {
		case isClosed(lost): // the next share is in another lease
		case left == 0:
			return nil, fmt.Errorf("%w: the lease of %q is not proved valid: %w", lockmgr.ErrUnavailable, key, why)
		default:
			wait.For(ctx, min(provePause, left), lost)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
	}
}

// end gives the name back. The lease stays here for linger, for somebody who will ask for it
// at once.
func (c *claim) end(linger time.Duration) {
	c.hold.Release(linger)
	c.freeTwin()
	c.f.unlockOp()
	c.f.leave()
}

// release gives the name back after a change of names. If that was not answered the lease is
// not given back: what was sent under it may still land, and this process will never know.
func (c *claim) release(unanswered bool) {
	if !unanswered {
		c.hold.Release(0)
	}
	c.freeTwin()
	if c.baseGone {
		c.f.leaveInConflict(errBaseGone)
		return
	}
	c.f.unlockOp()
	c.f.leave()
}

// claimBoth is claim that keeps everybody on this host from making the other kind of thing of the name,
// too: "n/" beside "n". The kernel does that for the calls of programs, which share the lease; for
// nobody else. The op lock of "n" is taken first.
func (t *Table) claimBoth(ctx context.Context, key string, limit time.Duration) (c *claim, err error) {
	name := lease.Name(key)
	var twin *File
	lock := func(key string) error {
		f := t.visit(key)
		if err := f.lockOpFor(ctx, key, limit); err != nil {
			f.leave()
			return err
		}
		twin = f
		return nil
	}
	if key != name {
		if err := lock(name); err != nil {
			return nil, err
		}
	}
	if c, err = t.claim(ctx, key, limit, nil); err == nil && key == name {
		if err = lock(name + "/"); err != nil {
			c.end(0)
		}
	}
	if err != nil {
		if twin != nil {
			twin.unlockOp()
			twin.leave()
		}
		return nil, err
	}
	c.twin = twin
	return c, nil
}

// freeTwin undoes what claimBoth does beside the claim.
func (c *claim) freeTwin() {
	if c.twin != nil {
		c.twin.unlockOp()
		c.twin.leave()
		c.twin = nil
	}
}

// disputed looks at the name again because the bucket did not do what was asked: a live file
// whose base is gone goes into conflict when the name is given back.
func (c *claim) disputed(ctx context.Context) {
	f := c.f
	f.mu.Lock()
	live, base := f.core.live() != nil, f.core.content.base.Base()
	f.unlock()
	if !live {
		return
	}
	stands, err := f.t.stands(ctx, f.name(), base)
	c.baseGone = err == nil && !stands // after an error the next commit finds out
}

// leaveInConflict puts the file into conflict and then gives it back. Saving what was accepted
// may take long, so that is done in the background; the name is free for others at once. f.op
// is held.
func (f *File) leaveInConflict(cause error) {
	t := f.t
	t.work.Go(func() {
		f.conflict(t.background, cause)
		f.unlockOp()
		f.leave()
	})
}

// absent tells whether nothing is under the name, neither in the bucket nor here alone.
func (c *claim) absent() bool { return c.found.ETag == "" && !c.onlyHere() }

// onlyHere tells whether the file was made here and is not in the bucket yet.
func (c *claim) onlyHere() bool {
	c.f.mu.Lock()
	defer c.f.unlock()
	return c.f.core.onlyHere()
}

// current is what the bucket has under the key now; its ETag is zero where nothing is.
func (t *Table) current(ctx context.Context, key string) (store.Info, error) {
	info, err := t.o.Objects.Head(ctx, key, "")
	if errors.Is(err, store.ErrNotFound) {
		return store.Info{Key: key}, nil
	}
	return info, err
}

// lockName takes the op lock of the file that the key names. It fails with ErrStale if the
// name is not this file's any more.
func (f *File) lockName(ctx context.Context, key string, limit time.Duration) error {
	if err := f.lockOpFor(ctx, key, limit); err != nil {
		return err
	}
	f.mu.Lock()
	err := f.core.named(key)
	f.unlock()
	if err != nil {
		f.unlockOp()
	}
	return err
}

// lockOpFor takes the op lock, waiting at most limit for whoever has it. Then it fails with
// *lockmgr.HeldError.
func (f *File) lockOpFor(ctx context.Context, key string, limit time.Duration) error {
	select {
	case f.op <- struct{}{}:
		return nil
	default:
	}
	began := time.Now()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case f.op <- struct{}{}:
		return nil
	case <-timer.C:
		return &lockmgr.HeldError{Key: key, Host: f.t.o.Host, Since: began, Waited: limit}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sameVersion compares what two looks at the bucket found.
func sameVersion(a, b store.Base) bool {
	if a.Absent() || b.Absent() {
		return a.Absent() == b.Absent()
	}
	return a.Same(b)
}

// sameSeen compares a version that may have been seen in a listing, which gives no version
// id and, unlike HEAD, fractions of seconds.
func sameSeen(a, b store.Base) bool {
	if a.VersionID != "" && b.VersionID != "" {
		return a.Same(b)
	}
	return a.ETag == b.ETag && a.LastModified.Unix() == b.LastModified.Unix()
}
