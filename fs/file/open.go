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

// enter returns the File of a key, made if need be, and keeps it in the table until leave.
func (t *Table) enter(key string) (*File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	f := t.files[key]
	if f == nil {
		f = newFile(t, key)
		t.files[key] = f
	}
	f.users++
	return f, nil
}

// leave undoes enter.
func (f *File) leave() {
	f.t.mu.Lock()
	f.users--
	f.t.mu.Unlock()
	f.t.sweep(f)
}

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

// begin makes the file live, with one more writer: lease first, then, never before or
// beside it, HEAD for the base. done undoes it. It fails if accepts does.
func (f *File) begin(ctx context.Context, key string, wait time.Duration, accepts func(store.Base) error) error {
	if ok, err := f.join(key); ok || err != nil {
		return err
	}
	// A commit that runs would make us wait for its upload, but then the file is live and
	// join succeeds: only those who begin or end meet here.
	began := time.Now()
	if err := f.lockOpFor(ctx, key, wait); err != nil {
		return err
	}
	defer f.unlockOp()
	if ok, err := f.join(key); ok || err != nil {
		return err
	}
	hold, err := f.t.leases.acquire(ctx, key, max(wait-time.Since(began), 0))
	if err != nil {
		return err
	}
	info, err := f.t.current(ctx, key)
	if err != nil {
		hold.release(0)
		return err
	}
	if err := f.roomInMeta(info); err != nil {
		hold.release(0)
		return err
	}
	f.mu.Lock()
	if f.live() && !sameVersion(f.base.Base(), info.Base()) {
		// The lease had been lost, and those who have the file open are on another version.
		f.reason = &ConflictError{Key: f.key}
		f.step(conflicted)
		f.mu.Unlock()
		hold.release(staleKeep)
		f.t.detach(f)
		return ErrStale
	}
	if err := accepts(info.Base()); err != nil {
		f.mu.Unlock()
		hold.release(staleKeep)
		return err
	}
	defer f.mu.Unlock()
	if f.hold != nil {
		f.hold.release(0)
	} else {
		f.rebase(info)
		f.attr = AttrOf(info, f.t.o.Defaults)
		for h := range f.handles {
			h.joined = h.info.ETag != "" && h.info.Base().Same(info.Base())
		}
	}
	f.hold, f.stale = hold, false
	f.writers++
	f.t.watchers.Go(func() { f.watch(hold) })
	return nil
}

// current is what the bucket has under the key now; its ETag is zero where nothing is.
func (t *Table) current(ctx context.Context, key string) (store.Info, error) {
	info, err := t.o.Objects.Head(ctx, key, "")
	if errors.Is(err, store.ErrNotFound) {
		return store.Info{Key: key}, nil
	}
	return info, err
}

// roomInMeta fails with ErrNoSpace if the metadata of an object leave no room for ours:
// better now than at close.
func (f *File) roomInMeta(info store.Info) error {
	p := store.ReadPosix(info.Props.Meta)
	p.Has |= store.HasMode | store.HasMtime
	if _, err := p.Put(info.Props.Meta); err != nil {
		return fmt.Errorf("%w: the metadata of the object: %w", ErrNoSpace, err)
	}
	return nil
}

// join adds a writer to a file that is live.
func (f *File) join(key string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.named(key); err != nil {
		return false, err
	}
	if !f.live() || f.stale && f.state == Clean {
		return false, nil
	}
	f.writers++
	return true, nil
}

// named fails with ErrStale if the key is not the name of this file any more: it was
// renamed or detached while the caller waited. f.mu is held.
func (f *File) named(key string) error {
	if f.key != key || f.state.detached() {
		return ErrStale
	}
	return nil
}

// rebase makes info the version that the file grew from. f.mu is held.
func (f *File) rebase(info store.Info) {
	f.unpin()
	f.base = info
	f.attr.Base = info.Base()
}

// sameVersion compares what two looks at the bucket found.
func sameVersion(a, b store.Base) bool {
	if a.Absent() || b.Absent() {
		return a.Absent() == b.Absent()
	}
	return a.Same(b)
}

// sameSeen compares a version that may have been seen in a listing, which gives no version
// id and, unlike HEAD, fractions of seconds.
func sameSeen(a, b store.Base) bool {
	if a.VersionID != "" && b.VersionID != "" {
		return a.Same(b)
	}
	return a.ETag == b.ETag && a.LastModified.Unix() == b.LastModified.Unix()
}
