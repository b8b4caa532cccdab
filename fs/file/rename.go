package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// Rename gives a file or symlink another name, over a file that may have it, or with
// noReplace fails with fs.ErrExist then. It is a copy with conditions on both names and a
// conditional delete of the source: for a moment a reader can see both names, never
// neither. Dirty data is committed first. It waits at most a second each for that commit
// and for the leases, and then fails with *lockmgr.HeldError. If somebody without a lease changes the
// file meanwhile it fails with ErrStale, or with ErrHalfRenamed if the file has both names then.
//
// moved, if not nil, is told, exactly once, when the file has its new name, which version was
// under the old one and which is under the new one: before Rename returns nil, or later if it
// has returned store.ErrUnknownOutcome. No mutex is held then.
func (t *Table) Rename(ctx context.Context, from, to string, noReplace bool, moved func(was, now store.Base)) error {
	if from == to {
		return nil
	}
	if err := t.rename(ctx, from, to, noReplace, moved); err != nil {
		return fmt.Errorf("renaming %q to %q: %w", from, to, err)
	}
	return nil
}

func (t *Table) rename(ctx context.Context, from, to string, noReplace bool, moved func(was, now store.Base)) error {
	if err := t.saveFirst(from); err != nil {
		return err
	}
	r := &renaming{t: t, from: from, to: to, user: userOf(ctx), told: moved}
	if err := r.claim(ctx); err != nil {
		return err
	}
	if err := r.check(noReplace); err != nil {
		r.release(false)
		return err
	}
	r.src.hold.Bar()
	r.dst.hold.Bar()
	return t.carryOut(nameChange{
		keys: []string{from, to}, permit: both{r.src.hold, r.dst.hold}, run: r.run, release: r.release,
	})
}

// renaming is one rename under way.
type renaming struct {
	t        *Table
	from, to string
	user     string
	src, dst *claim
	told     func(was, now store.Base)
	once     sync.Once
}

// claim takes both names, in key order.
func (r *renaming) claim(ctx context.Context) (err error) {
	takeSrc := func() error { r.src, err = r.t.claim(ctx, r.from, NameWait, nil); return err }
	takeDst := func() error { r.dst, err = r.t.claim(ctx, r.to, NameWait, r.t.replaceable(r.to)); return err }
	first, second := takeSrc, takeDst
	if r.to < r.from {
		first, second = takeDst, takeSrc
	}
	if err := first(); err != nil {
		return err
	}
	if err := second(); err != nil {
		for _, c := range []*claim{r.src, r.dst} {
			if c != nil {
				c.end(0)
			}
		}
		return err
	}
	return nil
}

func (r *renaming) release(unanswered bool) {
	r.src.release(unanswered)
	r.dst.release(unanswered)
}

func (r *renaming) check(noReplace bool) error {
	switch {
	case r.src.found.ETag == "" && !r.src.absent():
		// It was written again since the commit, and a copy would not have that.
		return &lockmgr.HeldError{Key: r.from, Host: r.t.o.Host, Since: time.Now()}
	case r.src.absent():
		return store.ErrNotFound
	case noReplace && !r.dst.absent():
		return fs.ErrExist
	}
	return nil
}

// run copies, deletes, and moves the open file to its new name. After a failure either name may
// hold another version than the one that the file open under it grew from; at the target that
// may be the copy.
func (r *renaming) run(ctx context.Context, p store.Permit, waiting waiter) error {
	err := r.send(ctx, p, waiting)
	if err != nil && !errors.Is(err, store.ErrUnknownOutcome) {
		r.src.disputed(ctx)
		r.dst.disputed(ctx)
	}
	return staleConflict(err)
}

func (r *renaming) send(ctx context.Context, p store.Permit, waiting waiter) error {
	src := r.src.found
	w := store.Write{
		Key: r.to, ID: store.NewWriteID(), Base: r.dst.found.Base(), Props: withNumber(withMtime(src), r.to, numberOf(src)),
		Unanswered: waiting.unanswered, Progress: waiting.progress,
		Audit: store.Audit{User: r.user, What: store.WhatRename, From: r.from},
	}
	info, err := r.t.copy(ctx, p, w, store.Source{Key: r.from, Base: src.Base(), Size: src.Size})
	if errors.Is(err, store.ErrOverlaid) {
		return half(err)
	}
	if err == nil && w.Base.Absent() {
		err = r.dst.settled(ctx, info, NameWait)
	}
	if err != nil {
		return err
	}
	r.t.changed(r.to, &info)
	err = r.t.delete(ctx, p, store.Deletion{
		Key: r.from, Base: src.Base(), Unanswered: waiting.unanswered,
		Gone: func() {
			r.landed(info)
			waiting.landed()
		},
	})
	switch {
	case errors.Is(err, store.ErrConflict):
		return r.undo(ctx, p, waiting, info, err)
	case err != nil:
		return err
	}
	r.landed(info)
	return nil
}

// withMtime gives the properties of a copy that has the time of its source: a rename does not
// change it, a copy would.
func withMtime(src store.Info) store.Props {
	props := src.Props
	x := store.ReadPosix(props.Meta)
	if x.Has&store.HasMtime == 0 {
		x.Mtime, x.Has = src.ModTime(), x.Has|store.HasMtime
		if meta, err := x.Put(props.Meta); err == nil {
			props.Meta = meta
		}
	}
	return props
}

// landed notes, once, that the file has its new name.
func (r *renaming) landed(info store.Info) {
	r.once.Do(func() {
		for _, later := range r.move(info) {
			later()
		}
		r.t.changed(r.from, nil)
		if r.told != nil {
			r.told(r.src.found.Base(), info.Base())
		}
	})
}

// move puts the source's File under its new name, in one step, so that nobody finds half of it:
// the handles of the source go on with it, those of the file that it replaces keep what they
// had. What it returns is to be called once no mutex is held.
func (r *renaming) move(info store.Info) (later []func()) {
	t, src, dst := r.t, r.src.f, r.dst.f
	t.mu.Lock()
	defer t.mu.Unlock()
	dst.mu.Lock()
	dst.tellAll(nil) // there is nothing to save any more
	if hold := dst.core.unlink(); hold != nil {
		later = append(later, func() { hold.Release(0) })
	}
	dst.unlock()

	src.mu.Lock()
	defer src.unlock()
	was := t.Attributes(r.src.found).Ctime
	if src.core.live() != nil {
		was = src.core.content.attr.Ctime
	}
	at := changedNow(was)
	t.changedHere.note(r.to, info.Base(), at)
	if t.files[r.from] == src {
		delete(t.files, r.from)
	}
	t.files[r.to] = src
	for h := range src.handles {
		if h.pin != nil && h.info.Base().Same(r.src.found.Base()) {
			h.pin.Close()
			h.info, h.attr.Base, h.attr.Ctime = info, info.Base(), at
			h.pin = newPin(t.o.Reader.Pin(info))
		}
	}
	src.core.content.attr.Ctime = at
	hold := r.dst.hold.Share()
	old, live := src.core.moved(r.to, info, hold)
	if !live {
		return append(later, func() { hold.Release(0) })
	}
	src.unpin()
	if src.local != nil {
		if err := src.local.Moved(r.to, info.Base()); err != nil {
			t.said.Say(seldom.Kind{Op: "moved"}, slog.LevelWarn, "a rename could not be noted in the spool", r.to, "err", err)
		}
	}
	t.watchers.Go(func() { src.watch(hold) })
	return append(later, func() { old.Release(0) })
}
