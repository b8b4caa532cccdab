package file

import (
	"context"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A Handle is one open of a file.
type Handle struct {
	f      *File
	read   bool
	write  bool
	append bool
	opener uint32 // process that opened it, 0 if not known

	// The fields below are guarded by File.mu.

	released bool
	// info, attr and pin are the version that the handle reads, set if it was opened while
	// the file was not live; pin is nil while the handle follows the file.
	info store.Info
	attr Attr
	pin  *pin
	// joined: the version that it reads is the one that the live file grew from.
	joined bool
	// err is a failed commit that this handle was not told yet.
	err error
}

// newHandle adds a handle to the file. f.mu is held.
func (f *File) newHandle(r OpenRequest) *Handle {
	h := &Handle{f: f, read: r.Read, write: r.Write, append: r.Append}
	if r.Write {
		h.opener = f.t.procs.process(r.Caller.PID)
		f.writers++
	}
	f.handles[h] = struct{}{}
	return h
}

// Key is the key of the file, also after a rename.
func (h *Handle) Key() string {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	return h.f.key
}

// Writable tells whether the handle was opened for write.
func (h *Handle) Writable() bool { return h.write }

// Attr returns the attributes of what the handle reads.
func (h *Handle) Attr() Attr {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if h.pin == nil || h.joined {
		return h.f.attr
	}
	return h.attr
}

// follows tells whether the handle reads what the file holds now rather than the version
// it was opened on. f.mu is held.
func (h *Handle) follows() bool { return h.pin == nil || h.joined && h.f.written }

// Read reads into p at off. At the end of the file it returns fewer bytes and no error.
func (h *Handle) Read(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, ErrInvalid
	}
	f := h.f
	f.mu.Lock()
	if h.released {
		f.mu.Unlock()
		return 0, ErrBadHandle
	}
	if h.follows() {
		f.mu.Unlock()
		return f.read(ctx, p, off)
	}
	pin := h.pin.share()
	size := h.info.Size
	f.mu.Unlock()
	defer pin.Close()
	if off >= size {
		return 0, nil
	}
	return pin.ReadFull(ctx, p[:min(int64(len(p)), size-off)], off)
}

// Write accepts p at off; on a handle opened to append, at the end of the file as this
// host knows it, since the kernel's idea of the size may be old. It fails with ErrNoSpace
// before anything was accepted, and with ErrStale or a *ConflictError once the file under
// the name is known to be another one.
func (h *Handle) Write(ctx context.Context, p []byte, off int64) (int, error) {
	return h.accept(p, off, h.append)
}

// WriteBack accepts p at off, also on a handle opened to append: a page of a mapping of the
// file, which the kernel sends through any handle that may write.
func (h *Handle) WriteBack(ctx context.Context, p []byte, off int64) (int, error) {
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

// Flush is what close(2) asks of one descriptor. It commits unless the process that asks,
// or the one that opened the handle, still holds a descriptor of the file with write
// access: then it only returns what failed before. A process that cannot be looked into
// counts as holding none.
func (h *Handle) Flush(ctx context.Context, c Caller) error {
	f := h.f
	f.mu.Lock()
	released, write, pending := h.released, h.write, f.state.pending()
	f.mu.Unlock()
	if released {
		return ErrBadHandle
	}
	if !write || !pending || h.defers(c) {
		return h.takeError()
	}
	if err := f.save(ctx, h); err != nil {
		return err
	}
	return h.takeError()
}

// defers applies the commit rule.
func (h *Handle) defers(c Caller) bool {
	p := h.f.t.procs
	caller := p.process(c.PID)
	held, known := p.holds(caller, c)
	if !known || held {
		return known && held
	}
	if h.opener == caller || h.opener == 0 {
		return false
	}
	held, known = p.holds(h.opener, c)
	return known && held
}

// Sync is fsync(2): what was written is in the bucket when it returns nil.
func (h *Handle) Sync(ctx context.Context) error {
	f := h.f
	f.mu.Lock()
	released, state, reason := h.released, f.state, f.reason
	f.mu.Unlock()
	switch {
	case released:
		return ErrBadHandle
	case state == Conflicted || state == Parked:
		h.takeError()
		return reason
	case state.pending():
		if err := f.save(ctx, h); err != nil {
			return err
		}
	}
	return h.takeError()
}

// takeError returns the failure that the handle was not told yet, once.
func (h *Handle) takeError() error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	err := h.err
	h.err = nil
	return err
}

// Release is the last close of the handle. What is left to commit is committed behind,
// and then the lease is released.
func (h *Handle) Release() {
	f := h.f
	f.mu.Lock()
	if h.released {
		f.mu.Unlock()
		return
	}
	h.released = true
	delete(f.handles, h)
	if h.pin != nil {
		h.pin.Close()
	}
	f.mu.Unlock()
	if h.write {
		f.done()
		return
	}
	f.t.sweep(f)
}

// Saved tells whether everything that was written to the file is in the bucket, and as which
// version.
func (h *Handle) Saved() (store.Base, bool) {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	return h.f.base.Base(), h.f.state == Clean
}

// Detached tells whether the name is not this file's any more.
func (h *Handle) Detached() bool {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	return h.f.state.detached()
}
