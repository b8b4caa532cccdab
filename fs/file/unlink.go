package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// Unlink removes a file or symlink. A file that is open here stays readable through its
// handles, and what they write goes nowhere. It fails with store.ErrNotFound, with
// ErrStale if the name changed meanwhile, and after a second with *lockmgr.HeldError.
func (t *Table) Unlink(ctx context.Context, key string) error {
	f, err := t.enter(key)
	if err != nil {
		return err
	}
	if err := f.lockName(ctx, key); err != nil {
		f.leave()
		return fmt.Errorf("removing %q: %w", key, err)
	}
	hold, base, err := f.claim(ctx)
	if err == nil && base.Absent() && !f.onlyHere() {
		err = store.ErrNotFound
		hold.release(0)
	}
	if err != nil {
		f.unlockOp()
		f.leave()
		return fmt.Errorf("removing %q: %w", key, err)
	}
	if base.Absent() {
		if _, err = f.unlinking(); err == nil {
			f.unlink()
		}
		f.giveBack(hold, false)
	} else {
		err = f.remove(hold, base)
	}
	if err != nil {
		return fmt.Errorf("removing %q: %w", key, err)
	}
	return nil
}

// remove deletes what is under the name and gives it back. f.op is held.
func (f *File) remove(hold *hold, base store.Base) error {
	return f.t.settle([]string{f.key}, hold, func(ctx context.Context, p store.Permit, waiting waiter) error {
		return f.delete(ctx, p, base, waiting.unanswered)
	}, func(keep bool) { f.giveBack(hold, keep) })
}

// claim takes a share in the lease of the name and finds what is under it: the base of a
// live file, else what the bucket says. f.op is held.
func (f *File) claim(ctx context.Context) (*hold, store.Base, error) {
	hold, info, err := f.claimInfo(ctx)
	return hold, info.Base(), err
}

func (f *File) claimInfo(ctx context.Context) (*hold, store.Info, error) {
	hold, err := f.t.leases.acquire(ctx, f.key, NameWait)
	if err != nil {
		return nil, store.Info{}, err
	}
	f.mu.Lock()
	live, base := f.hold != nil && f.hold.g == hold.g, f.base
	f.mu.Unlock()
	if live {
		return hold, base, nil
	}
	info, err := f.t.current(ctx, f.key)
	if err != nil {
		hold.release(0)
		return nil, store.Info{}, err
	}
	return hold, info, nil
}

// onlyHere tells whether the file was made here and is not in the bucket yet.
func (f *File) onlyHere() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hold != nil && f.base.ETag == "" && f.state != Clean
}

// unlinking notes in the spool, if there is anything of the file, that its name is about to
// go. f.op is held.
func (f *File) unlinking() (*spool.File, error) {
	f.mu.Lock()
	local := f.local
	f.mu.Unlock()
	if local == nil {
		return nil, nil
	}
	return local, local.Unlinking()
}

// delete removes the object and then detaches the file. f.op is held.
func (f *File) delete(ctx context.Context, p store.Permit, base store.Base, unanswered func(error)) error {
	local, err := f.unlinking()
	if err != nil {
		return err
	}
	err = f.t.delete(ctx, p, f.key, base, unanswered)
	switch {
	case err == nil:
		f.unlink()
		f.t.changed(f.key, nil)
		return nil
	case local != nil && !errors.Is(err, store.ErrUnknownOutcome):
		if lerr := local.Linked(); lerr != nil {
			err = errors.Join(err, lerr)
		}
	}
	return staleConflict(err)
}

// unlink detaches a file whose name is gone or belongs to another file. f.op is held.
func (f *File) unlink() {
	f.mu.Lock()
	f.step(unlinked)
	f.mu.Unlock()
	f.t.detach(f)
}
