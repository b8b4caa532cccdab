package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// conflict keeps what could not be saved under its name in a conflict file beside it, and
// detaches the file from the name. It returns a *ConflictError once that is done; if the
// bucket refuses it, the bytes stay in the spool. f.op is held.
func (f *File) conflict(ctx context.Context, c *commit, cause error) error {
	reason := &ConflictError{Key: c.write.Key}
	f.mu.Lock()
	// What was accepted since the seal is kept too; nothing more is accepted.
	c.snap = c.local.Snapshot()
	keep := f.bytes || !c.copy
	if c.snap.Size() == 0 && c.write.Base.Absent() {
		keep = false // a file that was only created
	}
	f.reason = reason
	f.step(conflicted)
	f.mu.Unlock()
	f.t.o.Log.Warn("the file was changed by somebody else", "key", c.write.Key, "err", cause)
	if keep {
		k := keeper{t: f.t, kind: "conflict", key: c.write.Key, ours: c.write.ID, base: c.write.Base, props: c.write.Props}
		info, err := k.insist(ctx, c.snap, c.base)
		if err != nil {
			err = fmt.Errorf("keeping a conflict file of %q: %w", c.write.Key, err)
			f.mu.Lock()
			f.reason = err
			f.mu.Unlock()
			f.strand(c, err)
			return err
		}
		reason = &ConflictError{Key: c.write.Key, Kept: info.Key}
		f.mu.Lock()
		f.reason = reason
		f.rebase(info)
		f.mu.Unlock()
	}
	f.mu.Lock()
	local := f.take()
	f.mu.Unlock()
	f.t.discard(local)
	f.t.detach(f)
	return reason
}

// park gives up a commit that the bucket refuses for good, and the lease is released. Bytes
// that a close or fsync was to save stay in the spool, where recovery finds them. What was
// changed by name alone is dropped: that call fails, and must not come true later. f.op is held.
func (f *File) park(c *commit, cause error) error {
	if err := c.local.Failed(c.write.ID); err != nil {
		cause = errors.Join(cause, err)
	}
	err := fmt.Errorf("saving %q: %w", c.write.Key, cause)
	f.mu.Lock()
	f.reason = err
	f.step(parked)
	var local *spool.File
	if !c.owed && !f.owed {
		local = f.take()
	}
	f.mu.Unlock()
	if local != nil {
		f.t.discard(local)
		f.t.detach(f)
		return err
	}
	f.strand(c, cause)
	return err
}

// strand detaches a file whose bytes stay in the spool until a recovery finds them there.
func (f *File) strand(c *commit, cause error) {
	f.t.mu.Lock()
	f.t.parked = append(f.t.parked, Left{Key: c.write.Key, Bytes: c.local.Local(), Reason: cause.Error()})
	f.t.mu.Unlock()
	f.t.detach(f)
}

// refused tells the errors of a commit that trying again does not help against.
func refused(err error) bool {
	for _, e := range []error{store.ErrAccessDenied, store.ErrRetained, store.ErrTooLarge, store.ErrRefused, store.ErrNoBucket, store.ErrArchived} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
