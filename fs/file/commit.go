package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// A commit is one attempt to make a version of what a file held at one moment.
type commit struct {
	write  store.Write
	snap   spool.Snapshot
	attr   Attr
	set    store.PosixField // of attr, taken from File.set
	copy   bool             // only the properties changed
	owed   bool             // taken from File.owed
	single bool             // the single attempt without a lease was made
	local  *spool.File
	base   *pin
}

// commit makes a version of what the file holds now, if it holds anything that is not in
// the bucket. It returns nil once that is in the bucket; a *ConflictError when it had to
// go into a conflict file; any other error leaves it in the spool. f.op is held.
func (f *File) commit(ctx context.Context) error {
	c, err := f.seal()
	if c == nil || err != nil {
		return err
	}
	defer c.base.Close()
	r := f.startReport(c.write.Key, c.snap.Size())
	defer r.end()
	c.write.Progress, c.write.Unanswered = r.progress, r.unanswered
	info, err := f.send(ctx, c)
	switch {
	case err == nil:
		f.landed(c, info)
		return nil
	case errors.Is(err, store.ErrConflict), errors.Is(err, errOtherHolder), errors.Is(err, reader.ErrChanged):
		// Without versions the base may be gone before it was read for the upload.
		return f.conflict(ctx, c, err)
	case refused(err):
		return f.park(c, err)
	}
	f.failed(c, errors.Is(err, store.ErrUnknownOutcome))
	return err
}

// seal takes a snapshot and journals what is about to be sent. It returns nil if there is
// nothing to commit.
func (f *File) seal() (*commit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != Dirty {
		return nil, f.reason // why it is detached, if it is
	}
	if f.unanswered {
		// Another write id would hide the first one from recovery.
		return nil, fmt.Errorf("saving %q: %w", f.key, store.ErrUnknownOutcome)
	}
	if f.over {
		return nil, fmt.Errorf("saving %q: %w", f.key, ErrClosed)
	}
	props, err := f.props()
	if err != nil {
		return nil, err
	}
	if err := f.keep(); err != nil {
		return nil, err
	}
	c := &commit{
		write: store.Write{
			Key: f.key, ID: store.NewWriteID(), Base: f.base.Base(), Props: props,
		},
		attr: f.attr, set: f.set, owed: f.owed, local: f.local,
		copy: !f.bytes && f.base.ETag != "",
	}
	c.snap, err = f.local.Seal(spool.Seal{ID: c.write.ID, Base: c.write.Base, Props: props, Copy: c.copy})
	if err != nil {
		return nil, err
	}
	c.base = f.pinned()
	f.set, f.bytes, f.owed = 0, false, false
	f.step(sealed)
	return c, nil
}

// props are those of the base with our attributes in them. f.mu is held.
func (f *File) props() (store.Props, error) {
	p := store.ReadPosix(f.base.Props.Meta)
	// The mtime always: a rewrite gives a new LastModified, which is what a file without
	// one shows.
	p.Has |= f.set | store.HasMtime
	p.Mode, p.UID, p.GID = f.attr.Mode, f.attr.UID, f.attr.GID
	p.Mtime, p.Atime = f.attr.Mtime, f.attr.Atime
	props := f.base.Props
	meta, err := p.Put(props.Meta)
	if err != nil {
		return store.Props{}, fmt.Errorf("metadata of %q: %w", f.key, err)
	}
	props.Meta = meta
	return props, nil
}

// send runs the requests of a commit until its outcome is known or ctx ends.
func (f *File) send(ctx context.Context, c *commit) (store.Info, error) {
	for {
		permit, err := f.permit(ctx, c)
		if err != nil {
			return store.Info{}, err
		}
		if err := c.local.Attempt(c.write.ID, c.single); err != nil {
			return store.Info{}, err
		}
		var info store.Info
		if c.copy {
			info, err = f.t.o.Objects.Copy(ctx, permit, c.write, store.Source{Key: c.write.Key, Base: c.write.Base, Size: c.snap.Size()})
		} else {
			body := store.Body{ReaderAt: c.snap.Reader(ctx, c.base), Size: c.snap.Size()}
			info, err = f.t.o.Objects.Put(ctx, permit, c.write, body)
		}
		if !errors.Is(err, store.ErrNotPermitted) {
			return info, err
		}
		// Nothing landed, and nothing can. The lease may be proved again, or be lost.
	}
}

// landed makes the new version the base.
func (f *File) landed(c *commit, info store.Info) {
	if err := c.local.Landed(c.write.ID, info.Base()); err != nil {
		// Recovery finds the write id in the bucket.
		f.t.o.Log.Warn("a commit could not be marked as done in the spool", "key", c.write.Key, "err", err)
	}
	f.mu.Lock()
	f.rebase(info)
	f.step(landed)
	f.stale = false
	f.unanswered = false
	var local *spool.File
	if f.state == Clean && (c.local.Garbage() > c.snap.Size() || f.writers == 0) {
		local = f.take()
	}
	f.mu.Unlock()
	f.t.discard(local)
	f.t.changed(c.write.Key, &info)
}

// failed puts what the commit covered back among the changes. unanswered: it may still
// land.
func (f *File) failed(c *commit, unanswered bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set |= c.set
	f.bytes = f.bytes || !c.copy
	f.owed = f.owed || c.owed
	f.unanswered = unanswered
	f.step(failed)
}

// take gives up the spool file of a file that does not need it any more; the caller
// discards it once no mutex is held. f.mu is held.
func (f *File) take() *spool.File {
	local := f.local
	f.local = nil
	return local
}

// discard removes what take returned.
func (t *Table) discard(local *spool.File) {
	if local == nil {
		return
	}
	if err := local.Drop(); err != nil {
		t.o.Log.Warn("a spool file could not be removed", "err", err)
	}
}

func (t *Table) changed(key string, i *store.Info) {
	if t.o.Changed != nil {
		t.o.Changed(key, i)
	}
}

// save commits for h, whose close or fsync waits. The work itself does not end with the
// caller: past the flush timeout it goes on behind, and the caller gets ErrUnsaved once
// the spool is synced to disk.
func (f *File) save(ctx context.Context, h *Handle) error {
	p := f.newPatience()
	defer p.stop()
	select {
	case f.op <- struct{}{}:
	case <-p.over():
		return f.unsaved(h)
	}
	done := make(chan error, 1)
	f.t.work.Go(func() {
		err := f.commit(f.t.background)
		f.unlockOp()
		f.remember(h, err)
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-p.over():
		return f.unsaved(h)
	}
}

// unsaved is the answer to a close or fsync whose commit goes on behind.
func (f *File) unsaved(h *Handle) error {
	f.mu.Lock()
	local, key := f.local, f.key
	f.mu.Unlock()
	err := fmt.Errorf("saving %q: %w", key, ErrUnsaved)
	if local != nil {
		if serr := local.Sync(); serr != nil {
			err = errors.Join(err, serr)
		}
	}
	f.remember(h, err)
	return err
}

// remember lets every handle that is open now, except the one that is told at once, know
// of a failed commit at its next close or fsync. A commit that succeeded takes back what
// was only not known yet.
func (f *File) remember(told *Handle, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for h := range f.handles {
		switch {
		case !h.write:
		case err == nil && errors.Is(h.err, ErrUnsaved):
			h.err = nil
		case err != nil && h != told:
			h.err = err
		}
	}
}
