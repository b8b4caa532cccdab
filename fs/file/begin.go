package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/store"
)

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
