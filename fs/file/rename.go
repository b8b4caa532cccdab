package file

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// Rename gives a file or symlink another name, over a file that may have it, or with
// noReplace fails with fs.ErrExist then. It is a copy with conditions on both names and a
// conditional delete of the source: for a moment a reader can see both names, never
// neither. Dirty data is committed first. It waits at most a second each for that commit
// and for the leases, and then fails with *lockmgr.HeldError.
func (t *Table) Rename(ctx context.Context, from, to string, noReplace bool) error {
	if from == to {
		return nil
	}
	if err := t.rename(ctx, from, to, noReplace); err != nil {
		return fmt.Errorf("renaming %q to %q: %w", from, to, err)
	}
	return nil
}

func (t *Table) rename(ctx context.Context, from, to string, noReplace bool) error {
	src, err := t.enter(from)
	if err != nil {
		return err
	}
	dst, err := t.enter(to)
	if err != nil {
		src.leave()
		return err
	}
	r := &renaming{t: t, src: src, dst: dst, from: from, to: to}
	if err := r.prepare(ctx, noReplace); err != nil {
		r.release(false)
		return err
	}
	return t.settle([]string{from, to}, both{r.srcHold, r.dstHold}, r.run, r.release)
}

// renaming is one rename under way.
type renaming struct {
	t                *Table
	src, dst         *File
	from, to         string
	srcHold, dstHold *hold
	srcInfo, dstInfo store.Info
	locked           []*File // whose op slot we hold
}

func (r *renaming) release(keep bool) {
	for _, h := range []*hold{r.srcHold, r.dstHold} {
		if h != nil && !keep {
			h.release(0)
		}
	}
	for _, f := range r.locked {
		f.unlockOp()
	}
	r.src.leave()
	r.dst.leave()
}

// prepare commits the source, takes both names in key order, and checks them.
func (r *renaming) prepare(ctx context.Context, noReplace bool) error {
	if err := r.src.saveWithin(r.from); err != nil {
		return err
	}
	claims := []func() error{
		func() error { return r.claim(ctx, r.src, r.from, &r.srcHold, &r.srcInfo) },
		func() error { return r.claim(ctx, r.dst, r.to, &r.dstHold, &r.dstInfo) },
	}
	if r.to < r.from {
		claims[0], claims[1] = claims[1], claims[0]
	}
	for _, claim := range claims {
		if err := claim(); err != nil {
			return err
		}
	}
	switch {
	case r.srcInfo.ETag == "" && r.src.onlyHere():
		// Written again since it was committed: rather busy than a name without its file.
		return &lockmgr.HeldError{Key: r.from, Host: r.t.o.Host, Since: time.Now()}
	case r.srcInfo.ETag == "":
		return store.ErrNotFound
	case noReplace && (r.dstInfo.ETag != "" || r.dst.onlyHere()):
		return fs.ErrExist
	}
	return nil
}

func (r *renaming) claim(ctx context.Context, f *File, key string, h **hold, i *store.Info) (err error) {
	if err := f.lockName(ctx, key); err != nil {
		return err
	}
	r.locked = append(r.locked, f)
	*h, *i, err = f.claimInfo(ctx)
	return err
}

// run copies, deletes, and moves the open file to its new name.
func (r *renaming) run(ctx context.Context, p store.Permit, waiting waiter) error {
	props := r.srcInfo.Props
	x := store.ReadPosix(props.Meta)
	if x.Has&store.HasMtime == 0 { // a rename does not change it, a copy would
		x.Mtime, x.Has = r.srcInfo.ModTime(), x.Has|store.HasMtime
		if meta, err := x.Put(props.Meta); err == nil {
			props.Meta = meta
		}
	}
	w := store.Write{Key: r.to, ID: store.NewWriteID(), Base: r.dstInfo.Base(), Props: props, Unanswered: waiting.unanswered, Progress: waiting.progress}
	var info store.Info
	err := r.t.journalled(spool.Op{ID: w.ID, Key: r.to, Base: w.Base, Kind: "copy"}, func() (err error) {
		info, err = r.t.o.Objects.Copy(ctx, p, w, store.Source{Key: r.from, Base: r.srcInfo.Base(), Size: r.srcInfo.Size})
		return err
	})
	if err != nil {
		return staleConflict(err)
	}
	r.t.changed(r.to, &info)
	if err := r.t.delete(ctx, p, r.from, r.srcInfo.Base(), waiting.unanswered); err != nil {
		return staleConflict(err)
	}
	r.dst.unlink()
	r.move(info)
	r.t.changed(r.from, nil)
	return nil
}

// move puts the source's File under its new name: its handles go on with it.
func (r *renaming) move(info store.Info) {
	t, f := r.t, r.src
	t.mu.Lock()
	defer t.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.files[r.from] == f {
		delete(t.files, r.from)
	}
	t.files[r.to] = f
	f.key = r.to
	for h := range f.handles {
		if h.pin != nil && h.info.Base().Same(r.srcInfo.Base()) {
			h.pin.Close()
			h.info, h.attr.Base = info, info.Base()
			h.pin = newPin(t.o.Reader.Pin(info))
		}
	}
	if f.hold == nil {
		return
	}
	f.rebase(info)
	if f.local != nil {
		if err := f.local.Moved(r.to, info.Base()); err != nil {
			t.o.Log.Warn("a rename could not be noted in the spool", "key", r.to, "err", err)
		}
	}
	// The file lives on under the lease of its new name.
	old, hold := f.hold, r.dstHold
	f.hold, r.dstHold = hold, nil
	old.release(0)
	t.watchers.Go(func() { f.watch(hold) })
}

// saveWithin commits what is dirty, for a caller that waits at most NameWait.
func (f *File) saveWithin(key string) error {
	f.mu.Lock()
	pending := f.state.pending()
	f.mu.Unlock()
	if !pending {
		return nil
	}
	began := time.Now()
	done := make(chan error, 1)
	f.t.work.Go(func() {
		if err := f.lockOp(f.t.background); err != nil {
			done <- err
			return
		}
		err := f.commit(f.t.background)
		f.unlockOp()
		f.remember(nil, err)
		done <- err
	})
	timer := time.NewTimer(NameWait)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return &lockmgr.HeldError{Key: key, Host: f.t.o.Host, Since: began, Waited: NameWait}
	}
}
