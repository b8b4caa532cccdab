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
	defer f.mu.Unlock()
	if h.released || !h.write {
		return 0, ErrBadHandle
	}
	if err := f.writeError(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if atEnd {
		off = f.attr.Size
	}
	if off+int64(len(p)) < 0 || off+int64(len(p)) > store.MaxObject {
		return 0, fmt.Errorf("writing %q: %w", f.key, store.ErrTooLarge)
	}
	if err := f.keep(); err != nil {
		return 0, err
	}
	if err := f.local.WriteAt(p, off); err != nil {
		return 0, err
	}
	f.attr.Size = max(f.attr.Size, off+int64(len(p)))
	f.owed = true
	f.touch()
	return len(p), nil
}

// writeError is why the file takes no changes any more. f.mu is held.
func (f *File) writeError() error {
	if f.state == Conflicted || f.state == Parked {
		return f.reason
	}
	if f.over {
		return fmt.Errorf("writing %q: %w", f.key, ErrClosed)
	}
	if f.stale {
		return fmt.Errorf("writing %q: %w", f.key, ErrStale)
	}
	return nil
}

// touch marks the content as changed now. f.mu is held.
func (f *File) touch() {
	now := time.Now()
	if f.attr.Atime.Equal(f.attr.Mtime) { // it is not kept, and shown as the same
		f.attr.Atime = now
	}
	f.attr.Mtime, f.attr.Ctime = now, now
	f.set |= store.HasMtime
	f.bytes, f.written = true, true
	f.step(changed)
}

// truncate sets the size. f.mu is held.
func (f *File) truncate(size int64) error {
	if size < 0 {
		return ErrInvalid
	}
	if size > store.MaxObject {
		return fmt.Errorf("truncating %q: %w", f.key, store.ErrTooLarge)
	}
	if err := f.writeError(); err != nil {
		return err
	}
	if err := f.keep(); err != nil {
		return err
	}
	if err := f.local.Truncate(size); err != nil {
		return err
	}
	f.attr.Size = size
	f.touch()
	return nil
}
