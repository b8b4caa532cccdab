package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/latchfs/latchfs/store"
)

// An OpenRequest is what open(2) asks for.
type OpenRequest struct {
	Key                                  string
	Read, Write, Trunc, Append, NonBlock bool
	Caller                               Caller
	// Known is the version whose attributes the kernel has; nil: do not compare.
	Known *store.Base
	// Again: this is the second try after an ErrStale, and Known is what the name was looked
	// up as in between, if it was. There is no third, so that it must not fail with ErrStale.
	Again bool
}

// A CreateRequest makes a file that is not there.
type CreateRequest struct {
	OpenRequest
	Mode     uint32 // permission bits
	UID, GID uint32
	Number   uint64 // inode number; 0: that of the key
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
	if !r.Write && !r.Trunc {
		return t.openRead(ctx, r)
	}
	wait := t.o.LockTimeout
	if r.NonBlock {
		wait = nonBlockWait
	}
	if err := t.leases.Yield(ctx, r.Key); err != nil {
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
	}
	f, err := t.begin(ctx, r.Key, wait, nil, r.accepts)
	if err != nil {
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
	}
	defer f.leave()
	defer f.done()
	f.mu.Lock()
	defer f.unlock()
	c := &f.core
	switch {
	case c.named(r.Key) != nil:
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, ErrStale)
	case !c.exists():
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, store.ErrNotFound)
	case r.Trunc && c.content.attr.Size > 0:
		if err := f.truncate(0, true, userOf(ctx)); err != nil {
			return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
		}
	case r.Trunc:
		now := time.Now() // as on any file system; the content is the same
		if err := f.change(ctx, Change{Mtime: &now}, true, false); err != nil {
			return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
		}
	}
	h := f.newHandle(ctx, r)
	if r.Trunc {
		h.wrote = c.content.n
	}
	return h, c.content.attr, nil
}

// Create makes a file that is not there and opens it. The name appears in the bucket at
// close. It fails with fs.ErrExist, with ErrNotDir if its directory has become a file, or with
// ErrNoSpace, and waits at most a second for the lease.
func (t *Table) Create(ctx context.Context, r CreateRequest) (*Handle, Attr, error) {
	f, err := t.begin(ctx, r.Key, NameWait, t.free(r.Key), r.accepts)
	if err != nil {
		return nil, Attr{}, fmt.Errorf("creating %q: %w", r.Key, err)
	}
	defer f.leave()
	defer f.done()
	f.mu.Lock()
	defer f.unlock()
	c := &f.core
	if err := c.named(r.Key); err != nil {
		return nil, Attr{}, fmt.Errorf("creating %q: %w", r.Key, err)
	}
	if c.exists() {
		return nil, Attr{}, fmt.Errorf("creating %q: %w", r.Key, fs.ErrExist)
	}
	before, now := c.content, time.Now()
	c.content.attr = Attr{Mode: ModeRegular | r.Mode&modePerm, UID: r.UID, GID: r.GID, Mtime: now, Atime: now, Ctime: changedNow(c.content.attr.Ctime),
		Number: cmp.Or(r.Number, Number(r.Key, 0))}
	c.changed(changes{set: store.HasMode | store.HasUID | store.HasGID | store.HasMtime, bytes: true, owed: true, user: userOf(ctx)})
	// Without room in the spool nothing could save it, not even without a byte in it.
	if err := f.spooled(); err != nil {
		c.content = before
		return nil, Attr{}, fmt.Errorf("creating %q: %w", r.Key, err)
	}
	r.Write = true
	h := f.newHandle(ctx, r.OpenRequest)
	h.wrote = c.content.n
	return h, c.content.attr, nil
}

// openRead opens for reading only. A file that is live here under a lease that is proved
// valid needs no look at the bucket. Without the proof the bucket is asked, and the file is
// followed only if what it grew from is still there.
func (t *Table) openRead(ctx context.Context, r OpenRequest) (*Handle, Attr, error) {
	f, err := t.enter(r.Key)
	if err != nil {
		return nil, Attr{}, err
	}
	defer f.leave()
	if h, attr, err := f.follow(ctx, r, nil); h != nil || err != nil {
		return h, attr, err
	}
	info, err := t.look(ctx, r)
	if errors.Is(err, store.ErrNotFound) {
		if h, attr, ferr := f.follow(ctx, r, &store.Base{}); h != nil {
			return h, attr, ferr
		}
	}
	if err != nil {
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, err)
	}
	base := info.Base()
	if h, attr, err := f.follow(ctx, r, &base); h != nil || err != nil {
		return h, attr, err
	}
	f.mu.Lock()
	defer f.unlock()
	h := f.newHandle(ctx, r)
	h.info, h.attr = info, t.Attributes(info)
	h.pin = newPin(t.o.Reader.Pin(info))
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

// follow opens a file for reading that is live here, if its lease is proved valid, or if what
// was found in the bucket (nil: nobody has looked) is the version that it grew from.
func (f *File) follow(ctx context.Context, r OpenRequest, found *store.Base) (*Handle, Attr, error) {
	f.mu.Lock()
	defer f.unlock()
	c := &f.core
	switch {
	case c.named(r.Key) != nil:
		return nil, Attr{}, fmt.Errorf("opening %q: %w", r.Key, ErrStale)
	case c.live() == nil || !c.exists():
		return nil, Attr{}, nil
	case c.followed(), found != nil && sameVersion(c.content.base.Base(), *found):
		return f.newHandle(ctx, r), c.content.attr, nil
	}
	return nil, Attr{}, nil
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
