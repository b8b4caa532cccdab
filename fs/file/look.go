package file

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/store"
)

// What is under a name is more than the object of one key: "n" may be an object, and "n/" a
// directory because any key begins with it. Both have one lease (LOCKS P2), and whoever
// makes, replaces or removes a name looks, under that lease, at both. Another host may have
// made the one or the other while the kernel here still believed what it had seen before.

// A look asks the bucket, under the lease of a name, for more than the object of its key.
type look func(ctx context.Context, c *claim) error

// free fails unless nothing is inside a name, there is no object under the name of what is to
// become a directory, and its parent is a directory: with fs.ErrExist, ErrNotDir or
// store.ErrNotFound.
func (t *Table) free(key string) look {
	name := lease.Name(key)
	return func(ctx context.Context, c *claim) error {
		var looks looking
		looks.ask(func() error { return exists(t.inside(ctx, name+"/")) })
		if key != name {
			looks.ask(func() error { return exists(t.isObject(ctx, name)) })
		}
		looks.ask(func() error { return c.lookAbove(ctx, name) })
		return looks.wait()
	}
}

// exists makes the answer "yes" fs.ErrExist.
func exists(is bool, err error) error {
	if is && err == nil {
		return fs.ErrExist
	}
	return err
}

// replaceable fails with ErrIsDir if a name is a directory, and with ErrNotDir or
// store.ErrNotFound if its parent is none. Where an object and a directory have one name, the
// object is shown under another and may be replaced.
func (t *Table) replaceable(key string) look {
	return func(ctx context.Context, c *claim) error {
		var looks looking
		looks.ask(func() error {
			switch dir, err := t.inside(ctx, key+"/"); {
			case err != nil:
				return err
			case !dir:
				return nil
			}
			is, err := t.isObject(ctx, key)
			if err == nil && !is {
				err = ErrIsDir
			}
			return err
		})
		looks.ask(func() error { return c.lookAbove(ctx, key) })
		return looks.wait()
	}
}

// lookAtDir fails with ErrNotDir if a directory whose attributes are to change has become a file,
// and with store.ErrNotFound if it is gone. One without a marker will get one.
func (c *claim) lookAtDir(ctx context.Context, name string) error {
	p, err := c.f.t.lookAbove(ctx, name+"/")
	if err != nil || p.marker.ETag != "" {
		return err
	}
	return c.lookAbove(ctx, name)
}

// isObject tells whether an object is under the key, in the bucket or only here.
func (t *Table) isObject(ctx context.Context, key string) (bool, error) {
	t.mu.Lock()
	f := t.files[key]
	t.mu.Unlock()
	if f != nil {
		f.mu.Lock()
		here := f.core.onlyHere()
		f.unlock()
		if here {
			return true, nil
		}
	}
	_, err := t.o.Objects.Head(ctx, key, "")
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// stands tells whether the base is still what is under a name. Where nothing was, that includes
// that nobody has made a directory of the name since.
func (t *Table) stands(ctx context.Context, key string, base store.Base) (bool, error) {
	now, err := t.current(ctx, key)
	if err != nil || !sameVersion(base, now.Base()) {
		return false, err
	}
	if !base.Absent() || lease.Name(key) != key {
		return true, nil
	}
	is, err := t.inside(ctx, key+"/")
	return err == nil && !is, err
}

// inside tells whether any key begins with that of a directory, its marker included, in the
// bucket or only here.
func (t *Table) inside(ctx context.Context, dirKey string) (bool, error) {
	if t.liveBelow(dirKey) != "" {
		return true, nil
	}
	keys, err := t.firstKeys(ctx, dirKey, 1)
	return len(keys) > 0, err
}

// firstKeys returns at most n of the keys that begin with that of a directory. A server may
// answer with fewer than were asked for and still have more.
func (t *Table) firstKeys(ctx context.Context, dirKey string, n int) (keys []string, err error) {
	o := store.ListOptions{Prefix: dirKey, Max: n}
	for {
		page, err := t.o.Objects.List(ctx, o)
		if err != nil {
			return nil, err
		}
		for _, i := range page.Objects {
			keys = append(keys, i.Key)
		}
		if len(keys) >= n || page.Next == "" {
			return keys, nil
		}
		o.Token = page.Next
	}
}

// looking runs requests side by side.
type looking struct {
	work sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (l *looking) ask(f func() error) {
	l.work.Go(func() {
		if err := f(); err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.errs = append(l.errs, err)
		}
	})
}

// wait returns what went wrong; that a request failed comes before what others said.
func (l *looking) wait() error {
	l.work.Wait()
	var said error
	for _, err := range l.errs {
		switch {
		case errors.Is(err, fs.ErrExist), errors.Is(err, ErrIsDir):
			said = err
		case !errors.Is(err, ErrNotDir):
			return err
		case said == nil:
			said = err
		}
	}
	return said
}
