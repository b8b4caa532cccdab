package file

import (
	"context"

	"github.com/latchfs/latchfs/store"
)

// A Handle is one open of a file.
type Handle struct {
	f      *File
	write  bool
	append bool
	opener uint32 // process that opened it, 0 if not known
	user   string // who opened it, "" if not known

	// The fields below are guarded by File.mu.

	released bool
	// info, attr and pin are the version that the handle reads, set if it was opened while
	// the file was not live; pin is nil while the handle follows the file.
	info store.Info
	attr Attr
	pin  *pin
	// joined: the version that it reads is the one that the live file grew from.
	joined bool
	// wrote is the number of the last change that was made through the handle.
	wrote uint64
	// failed is a commit that failed and that the handle was not told of yet.
	failed failure
}

// A failure is a commit that did not land.
type failure struct {
	err  error
	upto uint64 // how many changes of the file it was to save
}

// newHandle adds a handle to the file. f.mu is held.
func (f *File) newHandle(ctx context.Context, r OpenRequest) *Handle {
	h := &Handle{f: f, write: r.Write, append: r.Append, user: userOf(ctx)}
	if r.Write {
		h.opener = f.t.processOf(r.Caller.PID)
		f.core.writers++
	}
	f.handles[h] = struct{}{}
	return h
}

// Key is the key of the file, also after a rename.
func (h *Handle) Key() string {
	h.f.mu.Lock()
	defer h.f.unlock()
	return h.f.core.key
}

// Writable tells whether the handle was opened for write.
func (h *Handle) Writable() bool { return h.write }

// Attr returns the attributes of what the handle reads.
func (h *Handle) Attr() Attr {
	h.f.mu.Lock()
	defer h.f.unlock()
	if h.pin == nil || h.joined {
		return h.f.core.content.attr
	}
	return h.attr
}

// follows tells whether the handle reads what the file holds now rather than the version
// it was opened on. f.mu is held.
func (h *Handle) follows() bool {
	return h.pin == nil || h.joined && h.f.core.written()
}

// Read reads into p at off. At the end of the file it returns fewer bytes and no error.
func (h *Handle) Read(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, ErrInvalid
	}
	f := h.f
	f.mu.Lock()
	if h.released {
		f.unlock()
		return 0, ErrBadHandle
	}
	if h.follows() {
		f.unlock()
		return f.read(ctx, p, off)
	}
	pin := h.pin.share()
	size := h.info.Size
	f.unlock()
	defer pin.Close()
	if off >= size {
		return 0, nil
	}
	return pin.ReadFull(ctx, p[:min(int64(len(p)), size-off)], off)
}

// Flush is what close(2) asks of one descriptor. It commits unless the process that asks, or
// the one that opened the handle, still holds a descriptor of the file with write access: then
// it only returns what failed before. A process that cannot be looked into counts as one that
// has none. It fails again as long as what was written through the handle is not in the bucket.
func (h *Handle) Flush(ctx context.Context, c Caller) error {
	f := h.f
	f.mu.Lock()
	released, write, pending := h.released, h.write, f.core.pending()
	f.unlock()
	if released {
		return ErrBadHandle
	}
	if write && pending && !h.defers(c) {
		if err := f.save(ctx, h); err != nil {
			return err
		}
	}
	return h.failure()
}

// defers applies the commit rule.
func (h *Handle) defers(c Caller) bool {
	t := h.f.t
	caller := t.processOf(c.PID)
	held, known := t.writes(caller, c)
	if !known || held {
		return known && held
	}
	if h.opener == caller || h.opener == 0 {
		return false
	}
	held, known = t.writes(h.opener, c)
	return known && held
}

// Sync is fsync(2): what was written is in the bucket when it returns nil.
func (h *Handle) Sync(ctx context.Context) error {
	f := h.f
	f.mu.Lock()
	released, reason, pending := h.released, f.core.reason(), f.core.pending()
	f.unlock()
	switch {
	case released:
		return ErrBadHandle
	case reason != nil:
		h.failure()
		return reason
	case pending:
		if err := f.save(ctx, h); err != nil {
			return err
		}
	}
	return h.failure()
}

// failure returns why what was written through the handle is not in the bucket, or another
// failure that it was not told yet, once.
func (h *Handle) failure() error {
	h.f.mu.Lock()
	defer h.f.unlock()
	unsaved := h.wrote > h.f.core.content.saved
	err := h.failed.err
	if !unsaved || h.f.core.live() == nil {
		h.failed = failure{}
	}
	if reason := h.f.core.reason(); reason != nil && unsaved {
		return reason
	}
	return err
}

// Release is the last close of the handle. What is left to commit is committed in the
// background, and then the lease is released.
func (h *Handle) Release() {
	f := h.f
	f.mu.Lock()
	if h.released {
		f.unlock()
		return
	}
	h.released = true
	delete(f.handles, h)
	if h.pin != nil {
		h.pin.Close()
	}
	f.unlock()
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
	defer h.f.unlock()
	c := &h.f.core
	return c.content.base.Base(), !c.state.detached() && !c.content.pending()
}

// Detached tells whether the name is not this file's any more.
func (h *Handle) Detached() bool {
	h.f.mu.Lock()
	defer h.f.unlock()
	return h.f.core.state.detached()
}
