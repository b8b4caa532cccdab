package file

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
)

// Unlink removes a file or symlink. A file that is open here stays readable through its
// handles, and what they write goes nowhere. It fails with store.ErrNotFound, with ErrIsDir,
// with ErrStale if the name changed meanwhile, and after a second with *lockmgr.HeldError.
//
// gone, if not nil, is called exactly once when the name is gone: before Unlink returns nil,
// or later if it has returned store.ErrUnknownOutcome. No mutex is held then.
func (t *Table) Unlink(ctx context.Context, key string, gone func()) error {
	c, err := t.claim(ctx, key, NameWait, nil)
	if err != nil {
		return fmt.Errorf("removing %q: %w", key, err)
	}
	if c.absent() {
		defer c.end(0)
		dir, err := t.inside(ctx, key+"/")
		switch {
		case err != nil:
		case dir:
			err = ErrIsDir
		default:
			err = store.ErrNotFound
		}
		return fmt.Errorf("removing %q: %w", key, err)
	}
	if err := c.remove(gone, nil); err != nil {
		return fmt.Errorf("removing %q: %w", key, err)
	}
	return nil
}

// Rmdir removes the marker of a directory that has no entries. One that is shown here without any
// key (Options.Lasting) has none. It fails with a NotEmptyError, also if the marker itself has
// bytes, with ErrNotDir if the name has become a file, and with store.ErrNotFound if it is gone.
// gone is that of Unlink.
func (t *Table) Rmdir(ctx context.Context, dirKey string, gone func()) error {
	var inside string
	c, err := t.claim(ctx, dirKey, NameWait, func(ctx context.Context, _ *claim) (err error) {
		inside, err = t.keyInside(ctx, dirKey)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing %q: %w", dirKey, err)
	}
	if inside == "" && c.found.Size > 0 {
		inside = dirKey
	}
	if inside != "" {
		c.end(0)
		return fmt.Errorf("removing %q: %w", dirKey, &NotEmptyError{dirKey, inside})
	}
	if c.absent() {
		if err := t.notAFile(ctx, dirKey); err != nil {
			c.end(0)
			return fmt.Errorf("removing %q: %w", dirKey, err)
		}
	}
	if err := c.remove(gone, c.stillEmpty); err != nil {
		return fmt.Errorf("removing %q: %w", dirKey, err)
	}
	return nil
}

// stillEmpty looks once more inside a directory whose marker was just removed: whoever made
// something there before that may have seen the marker, and count on it. Then the marker is
// put back, and rmdir fails with ErrNotEmpty; likewise if the look is refused.
func (c *claim) stillEmpty(ctx context.Context) error {
	t, dirKey := c.f.t, c.f.name()
	for {
		inside, why := t.keyInside(ctx, dirKey)
		switch {
		case why != nil && ctx.Err() != nil:
			return fmt.Errorf("%w: %w", store.ErrUnknownOutcome, why)
		case errors.Is(why, store.ErrUnavailable):
			wait.For(ctx, retryPause, nil)
			continue
		case why == nil && inside == "":
			return nil
		case why == nil:
			why = &NotEmptyError{dirKey, inside}
		}
		_, err := t.marker(ctx, c, c.found)
		switch {
		case errors.Is(err, store.ErrUnknownOutcome):
			return err
		case err != nil && !errors.Is(err, store.ErrConflict):
			t.o.Log.Warn("a directory that was being removed has entries, and its marker cannot be put back; it has the default mode and owner now", "key", dirKey, "err", err)
		}
		return why
	}
}

// notAFile fails with ErrNotDir if another host has made a file of a directory that has no marker
// and nothing inside, and with store.ErrNotFound if that is gone and not shown here either.
func (t *Table) notAFile(ctx context.Context, dirKey string) error {
	switch is, err := t.isObject(ctx, lease.Name(dirKey)); {
	case err != nil:
		return err
	case is:
		return ErrNotDir
	case t.o.Lasting != nil && !t.o.Lasting(dirKey):
		return store.ErrNotFound
	}
	return nil
}

// keyInside gives a key below the directory other than its marker, in the bucket or only here; ""
// if there is none.
func (t *Table) keyInside(ctx context.Context, dirKey string) (string, error) {
	if live := t.liveBelow(dirKey); live != "" {
		return live, nil
	}
	keys, err := t.firstKeys(ctx, dirKey, 2)
	for _, key := range keys {
		if key != dirKey {
			return key, err
		}
	}
	return "", err
}

// remove deletes what is under a claimed name, if anything is, detaches the file and ends the
// claim. confirm, if not nil, is asked once the name is gone, and its error is returned.
func (c *claim) remove(gone func(), confirm func(context.Context) error) error {
	f, t := c.f, c.f.t
	key := f.name()
	// The file loses its name once, as soon as the object is known to be gone.
	landed := sync.OnceFunc(func() {
		f.unlink()
		t.changed(key, nil)
		if gone != nil {
			gone()
		}
	})
	local, err := f.unlinking()
	if err != nil {
		c.end(0)
		return err
	}
	if c.found.ETag == "" {
		landed()
		c.end(0)
		return nil
	}
	c.hold.Bar()
	return t.carryOut(nameChange{
		keys: []string{key}, permit: c.hold, release: c.release,
		run: func(ctx context.Context, p store.Permit, waiting waiter) error {
			confirmed := sync.OnceValue(func() error {
				if confirm == nil {
					return nil
				}
				return confirm(ctx)
			})
			err := t.delete(ctx, p, store.Deletion{
				Key: key, Base: c.found.Base(), Unanswered: waiting.unanswered,
				Gone: func() {
					if confirmed() == nil {
						landed()
						waiting.landed()
					}
				},
			})
			switch {
			case err == nil:
				if err := confirmed(); err != nil {
					return err
				}
				landed()
				return nil
			case errors.Is(err, store.ErrUnknownOutcome):
				return err
			case local != nil:
				err = errors.Join(err, local.Linked())
			}
			c.disputed(ctx)
			return staleConflict(err)
		},
	})
}

// unlinking notes in the spool, if there is anything of the file, that its name is about to
// go. f.op is held.
func (f *File) unlinking() (*spool.File, error) {
	f.mu.Lock()
	local := f.local
	f.unlock()
	if local == nil {
		return nil, nil
	}
	return local, local.Unlinking()
}

// unlink detaches a file whose name is gone. f.op is held.
func (f *File) unlink() {
	f.mu.Lock()
	f.tellAll(nil) // there is nothing to save any more
	hold := f.core.unlink()
	f.unlock()
	f.t.detach(f)
	if hold != nil {
		hold.Release(0)
	}
}
