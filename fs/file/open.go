package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/latchfs/latchfs/store"
)

const (
	// NameWait is how long what runs under the kernel's lock of a directory waits (create,
	// unlink, rename, mkdir, rmdir, symlink): longer would freeze ls and stat there.
	NameWait = time.Second
	// nonBlockWait: touch and tar open with O_NONBLOCK, and a lease that was just closed
	// is on its way (LOCKS P2).
	nonBlockWait = 2 * time.Second
	// staleKeep is how long the lease of an open that did not find what the kernel knows is
	// kept for the kernel's second try, whoever wants it: what that finds must still be true
	// when it opens. Less than NameWait, so that nobody fails for it.
	staleKeep = NameWait / 2
)

// An OpenRequest is what open(2) asks for.
type OpenRequest struct {
	Key                                  string
	Read, Write, Trunc, Append, NonBlock bool
	Caller                               Caller
	// Known is the version whose attributes the kernel has; nil: do not compare.
	Known *store.Base
	// Again: this is the second try after an ErrStale, and Known is what the name was looked
	// up as in between. There is no third, so that it must not fail with ErrStale.
	Again bool
}

// A CreateRequest makes a file that is not there.
type CreateRequest struct {
	OpenRequest
	Mode     uint32 // permission bits
	UID, GID uint32
}

// Open opens a file that exists. For write it takes the lease, waiting up to the lock
// timeout, and then looks at what is there. It fails with store.ErrNotFound, with ErrStale
// if that is not what the kernel knows, and with the errors of Locks.Acquire.
func (t *Table) Open(ctx context.Context, r OpenRequest) (*Handle, Attr, error) {
	for {
		h, attr, err := t.open(ctx, r)
		if !r.Again || !errors.Is(err, ErrStale) || ctx.Err() != nil {
			return h, attr, err
		}
		// The file lost its name while we waited for it; another one may have it.
	}
}

func (t *Table) open(ctx context.Context, r OpenRequest) (*Handle, Attr, error) {
	f, err := t.enter(r.Key)
	if err != nil {
		return nil, Attr{}, err
	}
	defer f.leave()
	if !r.Write && !r.Trunc {
		return f.openRead(ctx, r)
	}
	wait := t.o.LockTimeout
	if r.NonBlock {
		wait = nonBlockWait
	}
	if err := t.leases.yield(ctx, r.Key); err != nil {
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
	}
	if err := f.begin(ctx, r.Key, wait, r.accepts); err != nil {
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
	}
	defer f.done()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.named(r.Key) != nil:
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, ErrStale)
	case !f.exists():
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, store.ErrNotFound)
	case r.Trunc && f.attr.Size > 0:
		if err := f.truncate(0); err != nil {
			return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
		}
		f.owed = true
	case r.Trunc:
		now := time.Now() // as on any file system; the content is the same
		if err := f.change(Change{Mtime: &now}); err != nil {
			return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
		}
	}
	h := f.newHandle(r)
	return h, f.attr, nil
}

// Create makes a file that is not there and opens it. The name appears in the bucket at
// close. It fails with fs.ErrExist, and waits at most a second for the lease.
func (t *Table) Create(ctx context.Context, r CreateRequest) (*Handle, Attr, error) {
	f, err := t.enter(r.Key)
	if err != nil {
		return nil, Attr{}, err
	}
	defer f.leave()
	if err := f.begin(ctx, r.Key, NameWait, r.accepts); err != nil {
		return nil, Attr{}, fmt.Errorf("creating %q: %w", r.Key, err)
	}
	defer f.done()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.named(r.Key); err != nil {
		return nil, Attr{}, fmt.Errorf("creating %q: %w", r.Key, err)
	}
	if f.exists() {
		return nil, Attr{}, fmt.Errorf("creating %q: %w", r.Key, fs.ErrExist)
	}
	now := time.Now()
	f.attr = Attr{Mode: ModeRegular | r.Mode&modePerm, UID: r.UID, GID: r.GID, Mtime: now, Atime: now, Ctime: now}
	f.set = store.HasMode | store.HasUID | store.HasGID | store.HasMtime
	f.bytes = true
	f.written, f.owed = true, true
	f.step(changed)
	r.Write = true
	return f.newHandle(r.OpenRequest), f.attr, nil
}

// openRead opens for reading only. A file that is live here needs no look at the bucket.
func (f *File) openRead(ctx context.Context, r OpenRequest) (*Handle, Attr, error) {
	if h, attr, err := f.follow(r); h != nil || err != nil {
		return h, attr, err
	}
	info, err := f.t.look(ctx, r)
	if err != nil {
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
	}
	if h, attr, err := f.follow(r); h != nil || err != nil {
		return h, attr, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.newHandle(r)
	h.info, h.attr = info, AttrOf(info, f.t.o.Defaults)
	h.pin = newPin(f.t.o.Reader.Pin(info))
	return h, h.attr, nil
}

// look finds the version that an open for reading shows. If the second try finds another one
// than the kernel's lookup just before, it shows that one, if the bucket still has it: it was
// under the name while this open(2) ran, and the kernel has its attributes.
func (t *Table) look(ctx context.Context, r OpenRequest) (store.Info, error) {
	info, err := t.o.Objects.Head(ctx, r.Key, "")
	gone := errors.Is(err, store.ErrNotFound)
	if err != nil && !gone || r.Known == nil || !gone && sameSeen(*r.Known, info.Base()) {
		return info, err
	}
	if !r.Again {
		return store.Info{}, ErrStale
	}
	if r.Known.VersionID != "" {
		if known, kerr := t.o.Objects.Head(ctx, r.Key, r.Known.VersionID); kerr == nil && known.Base().Same(*r.Known) {
			return known, nil
		}
	}
	return info, err
}

// follow opens a file for reading that is live here.
func (f *File) follow(r OpenRequest) (*Handle, Attr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.named(r.Key) != nil:
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, ErrStale)
	case f.live() && f.exists():
		return f.newHandle(r), f.attr, nil
	}
	return nil, Attr{}, nil
}

// exists tells whether a live file is there for those who look. f.mu is held.
func (f *File) exists() bool { return f.base.ETag != "" || f.state != Clean }

// accepts fails if what is in the bucket is not what the open is for.
func (r OpenRequest) accepts(found store.Base) error {
	switch {
	case r.Known != nil && !r.Again && !sameSeen(*r.Known, found):
		return ErrStale
	case found.Absent():
		return store.ErrNotFound
	}
	return nil
}

func (r CreateRequest) accepts(found store.Base) error {
	if !found.Absent() {
		return fs.ErrExist
	}
	return nil
}

// anything is accepted by what does not open.
func anything(store.Base) error { return nil }
