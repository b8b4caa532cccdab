package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// conflict takes the name from a live file because somebody else's version is under it, or may
// be at any moment, and keeps what was accepted here and is not in the bucket in a conflict
// file beside it. The name is free for others at once; whoever waits for a commit is told once
// the bytes are safe. If the bucket refuses the conflict file they stay in the spool. f.op is
// held.
func (f *File) conflict(ctx context.Context, cause error) {
	f.conflictThen(ctx, cause, func() {})
}

// conflictThen is conflict with something to do once the bytes are kept, before anybody is told, or
// at once if the file is not live.
func (f *File) conflictThen(ctx context.Context, cause error, then func()) {
	f.retain()
	defer f.leave()
	over, _ := errors.AsType[*overwroteError](cause)
	f.mu.Lock()
	if f.core.live() == nil {
		f.unlock()
		then()
		return
	}
	c := &f.core.content
	key := f.core.key
	reason := &ConflictError{Key: key}
	if over != nil {
		reason.Over = over.version
	}
	k := keeper{t: f.t, kind: "conflict", key: key, ours: store.NewWriteID(), base: c.base.Base(), higher: misplaced(cause)}
	if last := c.last(); last != nil {
		k.ours = last.write.ID
	}
	var err error
	if k.props, err = c.props(); err != nil {
		k.props = c.base.Props // there was room when the file was opened
	}
	hold, keep := f.core.conflict(reason)
	if keep && over == nil {
		f.core.explain(fmt.Errorf("%q was %w", key, ErrConflicted)) // where is not known yet
	}
	local, base := f.local, f.pinned()
	f.unlock()
	defer base.Close()
	f.t.detach(f)
	hold.Release(0)
	f.t.o.Log.Warn("the file was changed by somebody else", "key", key, "err", cause)

	var told error = reason
	if keep {
		// Nothing is accepted any more, so this is all.
		info, err := k.insist(ctx, local.Snapshot(), base)
		if err != nil {
			told = fmt.Errorf("keeping a conflict file of %q: %w", key, errors.Join(err, local.Sync()))
			f.t.strand(key, local, err)
			local = nil
		} else {
			told = &ConflictError{Key: key, Kept: info.Key, Over: reason.Over}
			f.t.o.Log.Warn("the file was changed by somebody else; what was to be saved is kept beside it", "key", key, "kept", info.Key)
		}
		f.mu.Lock()
		if err == nil {
			f.rebase(info)
		}
		f.core.explain(told)
		f.unlock()
	}
	then()
	f.mu.Lock()
	f.tellAll(told)
	f.tellOfChange(told)
	f.core.content.drop()
	if local != nil {
		local = f.take()
	}
	f.unlock()
	f.t.discard(local)
}

// tellOfChange tells who has the file open for write that a change by name, for which nobody waits, will not
// be made: that call was answered because their commit would have made it. Who wrote what is not saved is told of all
// that anyway. f.mu is held.
func (f *File) tellOfChange(err error) {
	c := &f.core.content
	if !c.tail.any {
		return
	}
	for h := range f.handles {
		if h.write && h.wrote > c.saved {
			return
		}
	}
	f.remember(err, c.n, nil)
}

// park gives up a commit that the bucket refuses for good, and the lease is released. Bytes
// that a close or fsync was to save stay in the spool, where recovery finds them. What was
// changed by name alone is dropped: that call fails, and must not come true later. Where bytes stay,
// it stays with them, and the call gets ErrUnsaved (setAttr): a recovery makes it, too. f.op is held.
func (f *File) park(m *commit, cause error) {
	// Once the caller is told, what stays in the spool has to survive a power cut (SEMANTICS G5).
	cause = errors.Join(cause, m.local.Failed(m.write.ID), m.local.Sync())
	err := fmt.Errorf("saving %q: %w", m.write.Key, cause)
	f.mu.Lock()
	hold, owed := f.core.park(err)
	var local *spool.File
	if !owed {
		local = f.take()
		for h := range f.handles { // nothing of it has happened
			h.joined = false
		}
	}
	f.unlock()
	f.t.discard(local)
	f.t.detach(f)
	hold.Release(0)
	if owed {
		f.t.strand(m.write.Key, m.local, cause)
	}
	f.mu.Lock()
	defer f.unlock()
	f.tellAll(err)
	f.core.content.drop()
}

// strand notes a file whose bytes stay in the spool until a recovery finds them there.
func (t *Table) strand(key string, local *spool.File, cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parked = append(t.parked, Left{Key: key, Bytes: local.Local(), Reason: cause.Error()})
}

// retain keeps the file from being forgotten until leave.
func (f *File) retain() {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	f.users++
}

// refused tells the errors of a commit that trying again does not help against. Credentials that
// have expired are renewed some day.
func refused(err error) bool {
	if errors.Is(err, store.ErrNoCredentials) {
		return false
	}
	for _, e := range []error{store.ErrAccessDenied, store.ErrRetained, store.ErrTooLarge, store.ErrRefused, store.ErrNoBucket, store.ErrArchived} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
