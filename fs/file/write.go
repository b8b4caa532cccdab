package file

import (
	"fmt"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Write accepts p at off; on a handle opened to append, at the end of the file as this
// host knows it, since the kernel's idea of the size may be old. It fails with ErrNoSpace
// before anything was accepted, and with ErrStale or a *ConflictError once the file under
// the name is known to be another one.
func (h *Handle) Write(p []byte, off int64) (int, error) {
	return h.accept(p, off, h.append)
}

// WriteBack accepts p at off, also on a handle opened to append: a page of a mapping of the
// file, which the kernel sends through any handle that may write.
func (h *Handle) WriteBack(p []byte, off int64) (int, error) {
	return h.accept(p, off, false)
}

func (h *Handle) accept(p []byte, off int64, atEnd bool) (int, error) {
	if off < 0 {
		return 0, ErrInvalid
	}
	f := h.f
	f.mu.Lock()
	defer f.unlock()
	if h.released || !h.write {
		return 0, ErrBadHandle
	}
	c := &f.core
	if err := c.refuses(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if atEnd {
		off = c.content.attr.Size
	}
	// Who made the file may have had no such limit: then not even its first byte can be saved again.
	if end := off + int64(len(p)); end < 0 || max(end, c.content.attr.Size) > f.t.o.Objects.MaxSize() {
		return 0, fmt.Errorf("writing %q: %w", c.key, store.ErrTooLarge)
	}
	if err := f.spooled(); err != nil {
		return 0, err
	}
	if err := f.local.WriteAt(p, off); err != nil {
		return 0, err
	}
	c.content.attr.Size = max(c.content.attr.Size, off+int64(len(p)))
	f.touch(true, h.user)
	h.wrote = c.content.n
	return len(p), nil
}

// touch marks the content as changed now, by a user. owed: a handle answers for it. f.mu is held.
func (f *File) touch(owed bool, user string) {
	now := time.Now()
	a := &f.core.content.attr
	if a.Atime.Equal(a.Mtime) { // it is not kept, and shown as the same
		a.Atime = now
	}
	a.Mtime, a.Ctime = now, changedNow(a.Ctime)
	f.core.changed(changes{set: store.HasMtime, bytes: true, owed: owed, user: user})
}

// truncate sets the size for a user. owed: a handle answers for it. f.mu is held.
func (f *File) truncate(size int64, owed bool, user string) error {
	if size < 0 {
		return ErrInvalid
	}
	if size > f.t.o.Objects.MaxSize() {
		return fmt.Errorf("truncating %q: %w", f.core.key, store.ErrTooLarge)
	}
	if err := f.core.refuses(); err != nil {
		return err
	}
	if err := f.spooled(); err != nil {
		return err
	}
	if err := f.local.Truncate(size); err != nil {
		return err
	}
	f.core.content.attr.Size = size
	f.touch(owed, user)
	return nil
}
