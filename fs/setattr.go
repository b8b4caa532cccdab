package fs

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
)

// Setattr implements fs.NodeSetattrer: chmod, chown, utimens, truncate and ftruncate. When the
// caller is being killed, it waits neither for the lease nor for a commit, which goes on.
func (n *fileNode) Setattr(ctx context.Context, fh fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	ctx, stop := untilKilled(n.f.forUser(ctx, ctx))
	defer stop()
	c := changeOf(in)
	h, _ := fh.(*handle)
	if h == nil && (n.retired() || n.isDetached()) {
		h = n.anyHandle()
	}
	if h == nil && n.retired() {
		// Nothing is left of it, or the name is another node's. If that is so at the second try,
		// the name was looked up in between, and it is the name that is meant.
		if try, _ := n.f.stale.again(callerOf(ctx), n.keyNow()); try.looked == nil {
			n.f.tree.Forget(n.keyNow())
			n.f.stale.note(callerOf(ctx), n.keyNow(), false)
			return unix.ESTALE
		}
	}
	var a file.Attr
	var err error
	if h != nil {
		if c.Size != nil {
			n.mu.Lock()
			n.dirtied = true
			n.mu.Unlock()
		}
		c.Caller = n.f.caller(ctx, n.number())
		if a, err = h.file.SetAttr(ctx, c); err != nil {
			return h.failed("setattr", err)
		}
		if c.Size != nil {
			h.changed()
		}
	} else if a, err = n.setAttrByName(ctx, c); err != nil {
		if a, err = n.changeAgain(ctx, c, err); err != nil {
			return n.f.fail("setattr", n.keyNow(), err)
		}
	}
	n.answer(a, time.Time{}, out)
	return 0
}

// lookAgain gives the error of a change by inode. The kernel repeats a call with a path once
// when it is answered ESTALE, after a LOOKUP, which then has to ask the bucket.
func (f *front) lookAgain(key string, err error) error {
	err = staleIfGone(err)
	if errors.Is(err, file.ErrStale) {
		f.tree.Forget(key)
	}
	return err
}

// changeAgain is lookAgain for a file. The second try of a call with a path is about the name: it
// goes on as long as the file under it loses the name to another one meanwhile.
func (n *fileNode) changeAgain(ctx context.Context, c file.Change, err error) (file.Attr, error) {
	caller, key := callerOf(ctx), n.keyNow()
	try, again := n.f.stale.again(caller, key)
	if !again {
		if err = n.f.lookAgain(key, err); errors.Is(err, file.ErrStale) {
			n.f.stale.note(caller, key, false)
		}
		return file.Attr{}, err
	}
	byPath := try.looked != nil // and not of a descriptor, whose version keeps the change
	c.Caller = n.f.caller(ctx, n.number())
	var a file.Attr
	for began := time.Now(); byPath && errors.Is(err, file.ErrStale) && time.Since(began) < file.NameWait && ctx.Err() == nil; {
		a, err = n.f.files.SetAttr(ctx, key, c)
	}
	if err == nil {
		n.mu.Lock()
		n.tell(a) // of another version than the kernel knows
		n.mu.Unlock()
	}
	return a, err
}

// setAttrByName changes a file by its name, or, since the kernel sends no handle with fchmod,
// fchown and futimens, by a descriptor. A descriptor's change belongs to the version that the
// node shows, and to no other that is under the name by now.
func (n *fileNode) setAttrByName(ctx context.Context, c file.Change) (file.Attr, error) {
	c.Caller = n.f.caller(ctx, n.number())
	n.mu.Lock()
	key, shown := n.key, n.seen
	bound := len(n.handles) > 0 && !n.dirtied
	n.mu.Unlock()
	var a file.Attr
	var err error
	if bound {
		a, err = n.f.files.SetAttrOf(ctx, key, shown, c)
	} else {
		a, err = n.f.files.SetAttr(ctx, key, c)
	}
	if err != nil {
		return a, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.Size != nil && a.Base.Same(n.seen) && len(n.handles) > 0 {
		n.dirtied = true // it goes to the bucket with what others write
	}
	n.attr, n.seen = a, a.Base
	return a, nil
}

// Setattr implements fs.NodeSetattrer. The size of a directory is no business of anybody.
func (d *dirNode) Setattr(ctx context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if d.parent != nil && !d.f.isCurrent(d.key, d) {
		return unix.ESTALE // it was removed, and is not made again by its times
	}
	ctx, stop := untilKilled(d.f.forUser(ctx, ctx))
	defer stop()
	c := changeOf(in)
	c.Size = nil
	var a file.Attr
	var err error
	if d.parent == nil {
		a, err = d.f.setRoot(c)
	} else {
		was := *d.attr.Load()
		if _, order := d.f.tree.Changed(d.key, tree.Marker{Base: was.Base, Set: was.MtimeSet}); order != tree.MarkerLater {
			c.Entries = d.f.dirAttr(d.key, was).Mtime
		}
		if a, err = d.f.files.SetAttr(ctx, d.key, c); err == nil {
			a = d.f.dirAttr(d.key, a)
		}
	}
	if err != nil {
		return d.f.fail("setattr", d.key, d.f.lookAgain(d.key, err))
	}
	d.attr.Store(&a)
	d.f.answer(d, a, time.Time{}, out)
	return 0
}

// setRoot answers a change of the mount's root, which no object keeps. Its times are
// let pass, and are not set: rsync and tar set those of the directory that they fill.
func (f *front) setRoot(c file.Change) (file.Attr, error) {
	a := f.dirAttr(f.tree.Root(), f.bareDir())
	if c.Mode != nil && *c.Mode != a.Mode&0o7777 || c.UID != nil && *c.UID != a.UID || c.GID != nil && *c.GID != a.GID {
		return a, errRootAttr
	}
	return a, nil
}

func changeOf(in *fuse.SetAttrIn) (c file.Change) {
	c.NoSetIDs = in.Valid&fuse.FATTR_KILL_SUIDGID != 0
	if v, ok := in.GetSize(); ok {
		size := int64(v)
		c.Size = &size
	}
	if v, ok := in.GetMode(); ok {
		c.Mode = &v
	}
	if v, ok := in.GetUID(); ok {
		c.UID = &v
	}
	if v, ok := in.GetGID(); ok {
		c.GID = &v
	}
	if v, ok := in.GetMTime(); ok {
		v = store.KeptTime(v) // so that it is shown at once as it will be
		c.Mtime = &v
	}
	if v, ok := in.GetATime(); ok {
		v = store.KeptTime(v)
		c.Atime = &v
	}
	return c
}
