package file

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/store"
)

// change applies a change to the file. It reaches the bucket with the next commit. One that
// changes nothing leaves the file as it is. owed: a handle answers for it. journal: nobody waits
// for its commit, so that the spool has to know of it. What fails has not happened. f.mu is held.
func (f *File) change(ctx context.Context, ch Change, owed, journal bool) error {
	c := &f.core
	n := c.content.n
	if ch.Size != nil && *ch.Size != c.content.attr.Size {
		if err := f.truncate(*ch.Size, owed, userOf(ctx)); err != nil {
			return err
		}
	}
	before := c.content
	if attr, set := ch.apply(c.content.attr); set != 0 {
		if err := c.refuses(); err != nil {
			return err
		}
		attr.Ctime = changedNow(attr.Ctime)
		c.content.attr = attr
		c.changed(changes{set: set, user: userOf(ctx)})
	}
	if !journal || c.content.n == n {
		return nil
	}
	if err := f.journalAttr(ch); err != nil {
		c.content = before
		return err
	}
	return nil
}

// journalAttr notes the attributes as they are after a change that nobody has asked to save
// yet: it survives a crash, and kept files have them (LOCKS P6). f.mu is held.
func (f *File) journalAttr(c Change) error {
	if !c.attributes() || !f.core.content.tail.any {
		return nil
	}
	if err := f.spooled(); err != nil {
		return err
	}
	props, err := f.core.content.props()
	if err != nil {
		return err
	}
	return f.local.Attributes(props)
}

// SetAttr changes attributes through an open handle. On a handle opened for write the
// change goes with the next commit; a detached file keeps it to itself.
func (h *Handle) SetAttr(ctx context.Context, c Change) (Attr, error) {
	f := h.f
	f.mu.Lock()
	if h.released {
		f.unlock()
		return Attr{}, ErrBadHandle
	}
	core := &f.core
	detached := core.state.detached()
	pinned := h.pin != nil && !h.joined
	switch {
	case pinned && detached:
		defer f.unlock()
		h.attr, _ = c.apply(h.attr)
		return h.attr, nil
	case h.write || detached:
		defer f.unlock()
		return f.changeOpen(ctx, h, c)
	}
	key, base := core.key, h.info.Base()
	live := core.live() != nil
	f.unlock()
	if !pinned {
		return f.t.SetAttr(ctx, key, c)
	}
	if live {
		return Attr{}, fmt.Errorf("changing %q: %w", key, ErrStale)
	}
	return f.t.setAttr(ctx, key, c, func(found store.Base) error {
		if !sameVersion(base, found) {
			return ErrStale // it is another file by now
		}
		return nil
	})
}

// changeOpen applies a change that came through a handle that may write. f.mu is held.
func (f *File) changeOpen(ctx context.Context, h *Handle, c Change) (Attr, error) {
	content := &f.core.content
	before := content.n
	err := f.change(ctx, c, c.Size != nil, true)
	if content.n != before {
		h.wrote = content.n
	}
	return content.attr, err
}

// SetAttr changes the attributes of a name. If a process here has it open for write, the
// change goes with the next commit. Otherwise it takes the lease for a moment and makes a
// version of its own: a copy of the object onto itself, or an upload if the size changes.
// A directory without a marker gets one; ErrNotDir if it has become a file.
func (t *Table) SetAttr(ctx context.Context, key string, c Change) (Attr, error) {
	return t.setAttr(ctx, key, c, func(store.Base) error { return nil })
}

// SetAttrOf is SetAttr for a descriptor that shows the version seen: it fails with ErrStale if
// another one is under the name. A file that is open for write here takes the change in any case.
func (t *Table) SetAttrOf(ctx context.Context, key string, seen store.Base, c Change) (Attr, error) {
	return t.setAttr(ctx, key, c, func(found store.Base) error {
		if !sameSeen(seen, found) {
			return ErrStale
		}
		return nil
	})
}

func (t *Table) setAttr(ctx context.Context, key string, c Change, accepts func(store.Base) error) (Attr, error) {
	var beside look
	if name := lease.Name(key); name != key {
		beside = func(ctx context.Context, c *claim) error { return c.lookAtDir(ctx, name) }
	}
	f, err := t.begin(ctx, key, t.o.LockTimeout, beside, accepts)
	if err != nil {
		return Attr{}, fmt.Errorf("changing %q: %w", key, err)
	}
	defer f.leave()
	defer f.done()
	attr, alone, err := f.changeNamed(ctx, key, c)
	if err != nil {
		return Attr{}, fmt.Errorf("changing %q: %w", key, err)
	}
	if !alone {
		return attr, nil
	}
	err = f.save(ctx, nil)
	f.mu.Lock()
	defer f.unlock()
	if err != nil && f.core.kept() {
		err = fmt.Errorf("%w: %v", ErrUnsaved, err) // a recovery makes it with what a close answers for
	}
	if err != nil {
		return Attr{}, err
	}
	return f.core.content.attr, nil
}

// changeNamed applies a change that came by name. alone: nobody has the file open for write,
// so that nobody else will answer for the commit, and it has to be made now.
func (f *File) changeNamed(ctx context.Context, key string, c Change) (attr Attr, alone bool, err error) {
	f.mu.Lock()
	defer f.unlock()
	core := &f.core
	before := core.content
	switch {
	case core.named(key) != nil:
		return Attr{}, false, ErrStale
	case core.exists():
	case !strings.HasSuffix(key, "/"):
		return Attr{}, false, store.ErrNotFound
	default:
		now := time.Now()
		a := &core.content.attr
		a.Mtime, a.Atime, a.Ctime = now, now, changedNow(a.Ctime)
	}
	if strings.HasSuffix(key, "/") {
		c.Size = nil
	}
	alone = !f.openForWrite()
	if err := f.change(ctx, c, false, !alone); err != nil {
		return Attr{}, false, err
	}
	if !alone {
		return core.content.attr, false, nil
	}
	if _, err := f.seal(); err != nil {
		// What is refused must not come true later. Of a truncation that the spool has taken the
		// outcome is unknown: there is room for its seal, so that the disk is broken.
		if core.content.attr.Size == before.attr.Size {
			core.content = before
		}
		return Attr{}, false, err
	}
	return core.content.attr, true, nil
}

// openForWrite tells whether a process has the file open for write. f.mu is held.
func (f *File) openForWrite() bool {
	for h := range f.handles {
		if h.write {
			return true
		}
	}
	return false
}
