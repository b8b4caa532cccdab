package file

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// A new name has a lease of its own, and so has the directory that it is in. Another host can
// therefore remove the directory, or even make a file of its name, while a file in it has been
// created and not been closed. Nothing in S3 makes one request depend on two keys. So whoever
// makes a name looks at what is above it twice: before, to be told early, and after its own
// write, when whoever takes the lease of the directory's name sees that write (LOCKS P2).
// parentmodel_test.go searches through all orders.

// A parent is what was found above a name that is to be made.
type parent struct {
	// dir is the key of the directory; "" for the root, which is always there.
	dir string
	// marker is that of the directory; its ETag is zero where there is none.
	marker store.Info
	// was are the markers, by key, that the directory and those above it had when this host saw
	// them last. Another host that removes a directory may have removed those above it too.
	was map[string]store.Info
	// both: an object has the name of the directory, in which something stays all the same.
	// Other tools do that.
	both bool
	// up is what is above the directory if that has no key yet: it is made with the name, and has
	// to be looked at twice as well. Nil if the directory is there, or is in the root.
	up *parent
}

// above gives the key of the directory that a name is in, "" if that is the root.
func (t *Table) above(name string) string {
	dir := name[:strings.LastIndexByte(name, '/')+1]
	if dir == t.o.Root {
		return ""
	}
	return dir
}

// lookAbove is the look before: it fails with ErrNotDir if what is above the name is an object
// and no directory, and with store.ErrNotFound if it is nothing. A directory need not have a
// marker, and one whose last entry this mount removed need not have a key.
func (c *claim) lookAbove(ctx context.Context, name string) (err error) {
	c.above, err = c.f.t.lookAbove(ctx, name)
	return err
}

func (t *Table) lookAbove(ctx context.Context, name string) (p parent, err error) {
	if p.dir = t.above(name); p.dir == "" {
		return p, nil
	}
	p.marker, err = t.current(ctx, p.dir)
	p.was = t.markersSeen(p)
	if err != nil || p.marker.ETag != "" {
		return p, err
	}
	var object bool
	var inside []string
	var looks looking
	looks.ask(func() (err error) { object, err = t.isObject(ctx, lease.Name(p.dir)); return err })
	looks.ask(func() (err error) { inside, err = t.firstKeys(ctx, p.dir, 1); return err })
	err = looks.wait()
	if err == nil && object && len(inside) > 0 {
		p.both, err = t.staysInside(ctx, p.dir, func(string) bool { return false })
	}
	switch {
	case err != nil:
		return p, err
	case object && !p.both: // what is only here does not make a directory of another host's file
		return p, ErrNotDir
	case len(inside) > 0 || t.liveBelow(p.dir) != "":
		return p, nil
	case t.o.Lasting != nil && !t.o.Lasting(p.dir):
		return p, store.ErrNotFound
	}
	up, err := t.lookAbove(ctx, lease.Name(p.dir))
	if up.dir != "" {
		p.up = &up
	}
	return p, err
}

// markersSeen gives the markers to put back where they are gone. Of a directory that another host
// has removed while files in it are not closed yet, those who made the files remember it.
func (t *Table) markersSeen(p parent) map[string]store.Info {
	was := make(map[string]store.Info)
	if p.marker.ETag == "" {
		for _, f := range t.below(p.dir) {
			f.mu.Lock()
			if l := f.core.live(); l != nil {
				maps.Copy(was, l.above.was)
			}
			f.unlock()
		}
	}
	for dir := t.above(lease.Name(p.dir)); dir != "" && t.o.Marker != nil; dir = t.above(lease.Name(dir)) {
		if m, ok := t.o.Marker(dir); ok {
			was[dir] = m
		}
	}
	if p.marker.ETag != "" {
		was[p.dir] = p.marker
	}
	return was
}

// staysInside tells whether something is inside a directory that will not be taken back: whoever
// makes a name has its lease until his look after. not(key) is true of keys whose makers,
// as we know, have not looked yet.
func (t *Table) staysInside(ctx context.Context, dir string, not func(key string) bool) (bool, error) {
	const most = 8 // is more than are made and taken back at one moment
	keys, err := t.firstKeys(ctx, dir, most)
	for _, key := range keys {
		if not(key) {
			continue
		}
		switch info, err := t.current(ctx, key); {
		case err != nil:
			return false, err
		case info.ETag == "": // it was taken back
			continue
		case !info.MadeNew():
			return true, nil
		}
		if held, err := t.o.Locks.Held(ctx, lease.Name(key)); err != nil || !held {
			return err == nil, err
		}
	}
	return len(keys) >= most, err
}

// A misplacedError: what is above a name that was just made is no directory. What was made has to
// be taken back.
type misplacedError struct{ cause error }

func (e *misplacedError) Error() string { return e.cause.Error() }
func (e *misplacedError) Unwrap() error { return e.cause }

func misplaced(err error) bool {
	_, is := errors.AsType[*misplacedError](err)
	return is
}

// lookAgain is the look after, once the name is in the bucket. It fails with *misplacedError if
// what is above it has become a file, and with *lockmgr.HeldError if somebody has the directory's
// name for longer than limit and may make one. A marker that was there before and is gone is put
// back, with the mode and owner that it had. It goes on until it is answered or ctx ends.
func (t *Table) lookAgain(ctx context.Context, p parent, limit time.Duration) error {
	if p.up != nil {
		if err := t.lookAgain(ctx, *p.up, limit); err != nil {
			return err
		}
	}
	if p.dir == "" || p.both {
		return nil
	}
	for until := time.Now().Add(limit); ; {
		// However long the bucket or the lock table was out of reach, somebody who makes the
		// directory in this moment gets the time for it.
		err := t.lookOnce(ctx, p, max(time.Until(until), NameWait))
		switch {
		case err == nil, misplaced(err):
			return err
		case errors.Is(err, ErrNotDir):
			return &misplacedError{fmt.Errorf("what is above a new name: %w", err)}
		case !passing(err) && !errors.Is(err, lockmgr.ErrUnavailable) && !errors.Is(err, ErrStale) && !errors.Is(err, store.ErrNotPermitted):
			return err // not for a while; the last two are a name or a lease that was lost meanwhile
		case !wait.For(ctx, retryPause, nil):
			return err
		}
	}
}

func (t *Table) lookOnce(ctx context.Context, p parent, limit time.Duration) error {
	// Whoever makes a file of the directory's name has looked inside it before, under the lease
	// of the name, and a marker stops him. Whoever makes a marker has looked for a file. So a
	// marker that is there after our write proves that there is no such file and will be none.
	now, err := t.current(ctx, p.dir)
	if err != nil || now.ETag != "" {
		return err
	}
	name := lease.Name(p.dir)
	held, err := t.o.Locks.Held(ctx, name)
	if err != nil {
		return err
	}
	// Whoever takes the lease from now on finds what we made, and a file that is there already is
	// reason enough: there is no need to wait for whoever writes it.
	if is, err := t.isObject(ctx, name); err != nil || is {
		return errors.Join(err, notDirIf(is))
	}
	_, marked := p.was[p.dir]
	switch {
	case marked:
		return t.putBack(ctx, p, limit)
	case !held:
		return nil
	}
	c, err := t.claimOf(ctx, t.visit(name), name, limit, nil)
	if err != nil {
		return err
	}
	is := !c.absent()
	c.end(0)
	return notDirIf(is)
}

func notDirIf(is bool) error {
	if is {
		return ErrNotDir
	}
	return nil
}

// putBack makes the marker of a directory again that another host has removed, since the
// directory is not empty any more.
func (t *Table) putBack(ctx context.Context, p parent, limit time.Duration) (err error) {
	name := lease.Name(p.dir)
	c, err := t.claimOf(ctx, t.visit(p.dir), p.dir, limit, func(ctx context.Context, c *claim) error {
		if is, err := t.isObject(ctx, name); err != nil || is {
			return errors.Join(err, notDirIf(is))
		}
		err := c.lookAbove(ctx, name)
		c.above.was = p.was
		if errors.Is(err, store.ErrNotFound) {
			return nil // it went with the directory, and comes back with it
		}
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		unanswered := errors.Is(err, store.ErrUnknownOutcome)
		if unanswered {
			t.unknown([]string{p.dir})
		}
		c.release(unanswered)
	}()
	if !c.absent() {
		return nil
	}
	info, err := t.marker(ctx, c, p.was[p.dir])
	switch {
	case errors.Is(err, store.ErrConflict):
		return nil // it is there
	case refused(err):
		t.o.Log.Warn("another host removed a directory that has entries, and it cannot be made again; it has the default mode and owner now", "key", p.dir, "err", err)
		return nil
	case err != nil:
		return err
	}
	return c.settled(ctx, info, limit)
}

// marker makes the marker of a claimed directory as it was.
func (t *Table) marker(ctx context.Context, c *claim, was store.Info) (store.Info, error) {
	w := store.Write{Key: c.f.name(), ID: store.NewWriteID(), Props: was.Props, Audit: store.Audit{What: store.WhatWrite}}
	w.Props.TagCount = 0 // tags are gone with the version that had them
	info, err := t.put(ctx, c.hold, w, store.Body{ReaderAt: strings.NewReader("")})
	if err == nil {
		t.changed(w.Key, &info)
	}
	return info, err
}

// settled is the look after for what was made under a claim, which is taken back where it cannot
// stay, or where the look is refused. If nobody answers until ctx ends, that is an unknown outcome.
func (c *claim) settled(ctx context.Context, made store.Info, limit time.Duration) error {
	err := c.f.t.lookAgain(ctx, c.above, limit)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", store.ErrUnknownOutcome, err)
	}
	if terr := c.f.t.takeBack(ctx, c.hold, made); terr != nil {
		return terr
	}
	return err
}
