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
)

// Getattr implements fs.NodeGetattrer.
func (d *dirNode) Getattr(ctx context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	ctx, stop := untilKilled(ctx)
	defer stop()
	if d.parent != nil && !d.f.isCurrent(d.key, d) {
		d.f.answer(d, *d.attr.Load(), time.Time{}, out) // it was removed while somebody had it open
		out.Attr.Nlink = 0
		return 0
	}
	a, seen, err := d.stat(ctx)
	if err != nil {
		return d.f.fail("getattr", d.key, staleIfGone(err))
	}
	d.f.answer(d, a, seen, out)
	return 0
}

// stat gives the attributes of a directory, and when the bucket was asked for them.
func (d *dirNode) stat(ctx context.Context) (a file.Attr, seen time.Time, err error) {
	if d.parent == nil {
		return d.rootAttr(ctx), time.Time{}, nil
	}
	e, err := d.f.find(ctx, d.parent, d.name)
	if err == nil && !e.dir() {
		err = file.ErrStale
	}
	if err == nil {
		d.attr.Store(&e.attr)
	}
	return e.attr, e.seen, err
}

// Getattr implements fs.NodeGetattrer. An open file has the attributes of what its handles
// read, whatever is under the name by now.
func (n *fileNode) Getattr(ctx context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	ctx, stop := untilKilled(ctx)
	defer stop()
	a, seen, err := n.stat(ctx)
	if err != nil {
		key := n.keyNow()
		if err = staleIfGone(err); errors.Is(err, file.ErrStale) {
			n.f.stale.note(callerOf(ctx), key, false)
		}
		return n.f.fail("getattr", key, err)
	}
	n.answer(a, seen, out)
	return 0
}

func (n *fileNode) answer(a file.Attr, seen time.Time, out *fuse.AttrOut) {
	n.f.answer(n, a, seen, out)
	if n.isNameless() {
		out.Attr.Nlink = 0
	}
}

// answer fills the reply to whatever asks for the attributes of a node or changes them. After
// SETATTR go-fuse sets neither the number nor the timeout.
func (f *front) answer(n node, a file.Attr, seen time.Time, out *fuse.AttrOut) {
	f.fill(&out.Attr, a)
	out.Ino = n.number()
	out.SetTimeout(f.left(seen))
}

// stat gives the attributes of a file, and when the bucket was asked for them.
func (n *fileNode) stat(ctx context.Context) (a file.Attr, seen time.Time, err error) {
	for {
		if h := n.anyHandle(); h != nil {
			return h.file.Attr(), time.Time{}, nil
		}
		n.mu.Lock()
		parent, name, nameless, last := n.parent, n.name, n.nameless, n.attr
		n.mu.Unlock()
		if nameless {
			return last, time.Time{}, nil
		}
		e, err := n.f.find(ctx, parent, name)
		if err != nil {
			return file.Attr{}, time.Time{}, err
		}
		n.mu.Lock()
		opened := len(n.handles) > 0 // since: it may show another version than was found
		if !opened {
			defer n.mu.Unlock()
			if e.key != n.key || e.attr.Mode&file.ModeType != n.Mode() || n.dirtied && !e.live {
				return file.Attr{}, time.Time{}, file.ErrStale
			}
			n.tell(e.attr)
			return e.attr, e.seen, nil
		}
		n.mu.Unlock()
	}
}

// fill translates attributes.
func (f *front) fill(out *fuse.Attr, a file.Attr) {
	out.Mode = a.Mode
	out.Uid, out.Gid = a.UID, a.GID
	out.Size = uint64(a.Size)
	out.Nlink = 1 // of a directory too: it says that the number tells nothing of subdirectories
	out.SetTimes(&a.Atime, &a.Mtime, &a.Ctime)
	out.Blksize = blockSize
	out.Blocks = (out.Size + 511) / 512 // stat(2): in units of 512 bytes
}

// bareDir are the attributes of a directory without a marker, and of the root.
func (f *front) bareDir() file.Attr {
	return file.Attr{Mode: unix.S_IFDIR | f.defaults.DirMode, UID: f.defaults.UID, GID: f.defaults.GID,
		Mtime: f.began, Atime: f.began, Ctime: f.began}
}
