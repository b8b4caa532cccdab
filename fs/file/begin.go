package file

import (
	"context"
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
	return t.keep(key), nil
}

// visit is enter for work that is done in the background until the table has ended.
func (t *Table) visit(key string) *File {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keep(key)
}

// keep finds or makes the File of a key. t.mu is held.
func (t *Table) keep(key string) *File {
	f := t.files[key]
	if f == nil {
		f = newFile(t, key)
		t.files[key] = f
	}
	f.users++
	return f
}

// leave undoes enter.
func (f *File) leave() {
	f.t.mu.Lock()
	f.users--
	f.t.mu.Unlock()
	f.t.sweep(f)
}

// begin makes the file of a key live, with one more writer: lease first, then, never before
// or beside it, HEAD for the base and what beside looks at. accepts is asked about what was
// found in the bucket, unless the file is only here; its error is returned. done and then leave
// undo begin.
func (t *Table) begin(ctx context.Context, key string, wait time.Duration, beside look, accepts func(store.Base) error) (*File, error) {
	if f, err := t.join(key); f != nil || err != nil {
		return f, err
	}
	c, err := t.claim(ctx, key, wait, beside)
	if err != nil {
		return nil, err
	}
	f := c.f
	if !c.onlyHere() {
		if err := accepts(c.found.Base()); err != nil {
			c.end(staleLinger)
			return nil, err
		}
	}
	if err := roomInMeta(c.found); err != nil {
		c.end(0)
		return nil, err
	}
	if f.lease() == nil {
		if err := t.enliven(c); err != nil {
			c.end(0)
			return nil, err
		}
	}
	f.mu.Lock()
	f.core.writers++
	f.unlock()
	c.hold.Release(0)
	f.unlockOp()
	return f, nil
}

// enliven makes an idle file live on what was found. It fails with ErrClosed once the table is
// about to say what it leaves in the spool (left): it could not name what comes later.
func (t *Table) enliven(c *claim) error {
	f, hold := c.f, c.hold.Share()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		hold.Release(0)
		return ErrClosed
	}
	f.mu.Lock()
	defer f.unlock()
	f.unpin()
	f.core.begin(hold, c.found, t.Attributes(c.found), c.above)
	for h := range f.handles {
		h.joined = h.info.ETag != "" && h.info.Base().Same(c.found.Base())
	}
	t.watchers.Go(func() { f.watch(hold) })
	return nil
}

// join adds a writer to the file of a key if it is live under a lease that is proved valid, and
// there: whoever makes a file has to look at more than that. Otherwise it returns nil.
func (t *Table) join(key string) (*File, error) {
	f, err := t.enter(key)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	err = f.core.named(key)
	joined := err == nil && f.core.followed() && f.core.exists()
	if joined {
		f.core.writers++
	}
	f.unlock()
	if joined {
		return f, nil
	}
	f.leave()
	return nil, err
}

// roomInMeta fails with ErrNoSpace if the metadata of an object leave no room for ours:
// better now than at close.
func roomInMeta(info store.Info) error {
	p := store.ReadPosix(info.Props.Meta)
	p.Has |= store.HasMode | store.HasMtime
	if _, err := p.Put(info.Props.Meta); err != nil {
		return fmt.Errorf("%w: the metadata of the object: %w", ErrNoSpace, err)
	}
	return nil
}
