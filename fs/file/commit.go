package file

import (
	"context"
	"errors"
	"log/slog"

	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// commit tries to make the version of the oldest seal. It returns nil once its fate is known
// and told: it is in the bucket, in a conflict file, or parked. Any other error leaves it in
// the spool, to be tried again. f.op is held.
func (f *File) commit(ctx context.Context, m *commit) error {
	f.mu.Lock()
	m.write.Key, m.write.Base = f.core.key, f.core.content.base.Base()
	base := f.pinned()
	f.unlock()
	defer base.Close()
	r := f.startReport(m.write.Key, m.snap.Size())
	defer r.end()
	m.write.Progress, m.write.Unanswered = r.progress, r.unanswered
	info, err := f.send(ctx, m, base)
	if err == nil && m.unleased {
		err = f.lookBelow(ctx, m, info)
	}
	if err == nil && m.write.Base.Absent() {
		if err = f.lookAgain(ctx); refused(err) {
			err = errors.Join(err, f.t.takeBack(ctx, f.lease(), info)) // and then it is parked
		}
	}
	over, overwrote := errors.AsType[*overwroteError](err)
	switch {
	case err == nil:
		f.landed(m, info, nil)
		return nil
	case misplaced(err):
		f.misplaced(ctx, info, err)
		return nil
	case overwrote:
		f.landed(m, info, &ConflictError{Key: m.write.Key, Over: over.version})
		f.conflict(ctx, over)
		return nil
	case errors.Is(err, store.ErrConflict), errors.Is(err, errOtherHolder), errors.Is(err, reader.ErrChanged):
		// Without versions the base may be gone before it was read for the upload.
		f.conflict(ctx, err)
		return nil
	case refused(err):
		f.park(m, err)
		return nil
	}
	m.unanswered = errors.Is(err, store.ErrUnknownOutcome)
	return err
}

// send runs the requests of a commit until its outcome is known or ctx ends.
func (f *File) send(ctx context.Context, m *commit, base *pin) (store.Info, error) {
	for {
		permit, err := f.permit(ctx, m)
		if err != nil {
			return store.Info{}, err
		}
		if err := m.local.Attempt(m.write.ID, m.unleased); err != nil {
			return store.Info{}, err
		}
		var info store.Info
		if m.copy {
			info, err = f.t.sendCopy(ctx, permit, m.write, store.Source{Key: m.write.Key, Base: m.write.Base, Size: m.snap.Size()})
		} else {
			body := store.Body{ReaderAt: m.snap.Reader(ctx, base), Size: m.snap.Size()}
			info, err = f.t.send(ctx, permit, m.write, body)
		}
		if !errors.Is(err, store.ErrNotPermitted) {
			return info, err
		}
		// Nothing landed, and nothing can. The lease may be proved again, or be lost.
	}
}

// landed makes the new version the base, and tells those who wait for it; told is nil if all
// is well.
func (f *File) landed(m *commit, info store.Info, told error) {
	if err := m.local.Landed(m.write.ID, info.Base()); err != nil {
		// Recovery finds the write id in the bucket.
		f.t.said.Say(seldom.Kind{Op: "landed"}, slog.LevelWarn, "a commit could not be marked as done in the spool", m.write.Key, "err", err)
	}
	f.mu.Lock()
	f.unpin()
	was := f.core.content.base.Base()
	f.core.landed(m, info, told == nil)
	if m.copy {
		f.toCopy(was, info)
	}
	f.t.changedHere.note(m.write.Key, info.Base(), f.core.content.attr.Ctime)
	var local *spool.File
	if !f.core.pending() && (m.local.Garbage() > m.snap.Size() || f.core.writers == 0) {
		local = f.take()
	}
	f.unlock()
	f.t.discard(local)
	f.t.changed(m.write.Key, &info)
	f.mu.Lock()
	defer f.unlock()
	f.tell(m, told)
}

// changed tells the tree what is under a key now.
func (t *Table) changed(key string, i *store.Info) {
	if t.o.Changed != nil {
		t.o.Changed(key, i)
	}
}

// lookAgain is the look above a new name once it is in the bucket. Whoever has the lease of the
// directory's name may never make a file of it, so he is waited for: until then nobody knows
// whether the file can stay. f.op is held.
func (f *File) lookAgain(ctx context.Context) error {
	f.mu.Lock()
	above := f.core.live().above
	f.unlock()
	for {
		err := f.t.lookAgain(ctx, above, f.t.o.LockTimeout)
		if _, held := errors.AsType[*lockmgr.HeldError](err); !held || ctx.Err() != nil {
			return err
		}
	}
}

// misplaced puts a new file into conflict whose directory has become a file, and takes back
// what is under its name; in this order, so that no crash loses the bytes. f.op is held.
func (f *File) misplaced(ctx context.Context, made store.Info, cause error) {
	hold := f.lease().Share()
	hold.Bar() // nobody here opens what is about to go
	f.conflictThen(ctx, cause, func() {
		err := f.t.takeBack(ctx, hold, made)
		if errors.Is(err, store.ErrUnknownOutcome) {
			f.t.unknown([]string{made.Key}) // and its lease is not given back
			return
		}
		hold.Release(0)
	})
}
