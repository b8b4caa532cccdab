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
	h := &Handle{f: f, write: r.Write, append: r.Append}
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
