package file

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// change applies a change to the file; it reaches the bucket with the next commit. One
// that changes nothing leaves the file as it is. f.mu is held.
func (f *File) change(c Change) error {
	if c.Size != nil && *c.Size != f.attr.Size {
		if err := f.truncate(*c.Size); err != nil {
			return err
		}
	}
	attr, set := c.apply(f.attr)
	if set == 0 {
		return nil
	}
	if err := f.writeError(); err != nil {
		return err
	}
	attr.Ctime = time.Now()
	f.attr = attr
	f.set |= set
	f.step(changed)
	return nil
}

// SetAttr changes attributes through an open handle. On a handle opened for write the
// change rides with the next commit; a detached file keeps it to itself.
func (h *Handle) SetAttr(ctx context.Context, c Change) (Attr, error) {
	f := h.f
	f.mu.Lock()
	if h.released {
		f.mu.Unlock()
		return Attr{}, ErrBadHandle
	}
	pinned := h.pin != nil && !h.joined
	switch {
	case pinned && f.state.detached():
		defer f.mu.Unlock()
		h.attr, _ = c.apply(h.attr)
		return h.attr, nil
	case h.write || f.state.detached():
		defer f.mu.Unlock()
		err := f.change(c)
		f.owed = f.owed || c.Size != nil && err == nil
		return f.attr, err
	}
	key, base := f.key, h.info.Base()
	live := f.live()
	f.mu.Unlock()
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

// SetAttr changes the attributes of a name. If a process here has it open for write, the
// change rides with the next commit. Otherwise it takes the lease for a moment and makes a
// version of its own: a copy of the object onto itself, or an upload if the size changes.
// A directory without a marker gets one.
func (t *Table) SetAttr(ctx context.Context, key string, c Change) (Attr, error) {
	return t.setAttr(ctx, key, c, anything)
}

func (t *Table) setAttr(ctx context.Context, key string, c Change, accepts func(store.Base) error) (Attr, error) {
	f, err := t.enter(key)
	if err != nil {
		return Attr{}, err
	}
	defer f.leave()
	if err := f.begin(ctx, key, t.o.LockTimeout, accepts); err != nil {
		return Attr{}, fmt.Errorf("changing %q: %w", key, err)
	}
	defer f.done()
	attr, alone, err := f.changeNamed(key, c)
	if err != nil {
		return Attr{}, fmt.Errorf("changing %q: %w", key, err)
	}
	if !alone {
		return attr, nil
	}
	if err := f.save(ctx, nil); err != nil {
		return Attr{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attr, nil
}

// changeNamed applies a change that came by name. alone: nobody else has the file open for
// write, so that it has to be committed now.
func (f *File) changeNamed(key string, c Change) (attr Attr, alone bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.named(key) != nil:
		return Attr{}, false, ErrStale
	case f.exists():
	case !strings.HasSuffix(f.key, "/"):
		return Attr{}, false, store.ErrNotFound
	default:
		now := time.Now()
		f.attr.Mtime, f.attr.Atime, f.attr.Ctime = now, now, now
	}
	if strings.HasSuffix(f.key, "/") {
		c.Size = nil
	}
	if err := f.change(c); err != nil {
		return Attr{}, false, err
	}
	return f.attr, f.writers == 1, nil
}
