package fs

import (
	"context"
	"errors"
	iofs "io/fs"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// Open implements fs.NodeOpener.
func (n *fileNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, key := n.f, n.keyNow()
	pid := callerOf(ctx).Pid
	if n.retired() {
		f.stale.note(pid, key)
		return nil, 0, unix.ESTALE
	}
	r := openRequest(flags)
	if r.Write && f.readOnly {
		return nil, 0, unix.EROFS
	}
	r.Key, r.Caller = key, f.caller(ctx, n.number())
	again := f.stale.again(pid, key)
	n.mu.Lock()
	seen := n.seen
	n.mu.Unlock()
	if !again && !r.Trunc { // of what is cut to nothing it does not matter what the kernel knows
		r.Known = &seen
	}
	if !r.Write {
		c, stop := untilKilled(ctx)
		defer stop()
		ctx = c
	}
	h, attr, err := f.files.Open(ctx, r)
	if err != nil {
		return nil, 0, n.openFailed(r, pid, err)
	}
	return n.opened(h, attr)
}

// openFailed gives the errno of an open that failed.
func (n *fileNode) openFailed(r file.OpenRequest, pid uint32, err error) syscall.Errno {
	var held *lockmgr.HeldError
	switch {
	case errors.As(err, &held) && r.NonBlock:
		n.f.log.Info("refused", "op", "open", "key", r.Key, "errno", "EWOULDBLOCK", "err", err)
		return unix.EWOULDBLOCK
	case errors.Is(err, file.ErrStale), errors.Is(err, store.ErrNotFound):
		n.f.tree.Forget(r.Key)
		n.f.stale.note(pid, r.Key)
		err = staleIfGone(err)
	}
	return n.f.fail("open", r.Key, err)
}

// opened makes the handle of an open that succeeded and decides what the kernel may keep.
func (n *fileNode) opened(h *file.Handle, attr file.Attr) (fs.FileHandle, uint32, syscall.Errno) {
	fh := &handle{n: n, file: h}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handles[fh] = struct{}{}
	var flags uint32
	switch {
	case !n.seen.Same(attr.Base) && !attr.Base.Absent():
		// The second try after an ESTALE found yet another version: the kernel's size and
		// pages are of no use to this handle.
		flags |= fuse.FOPEN_DIRECT_IO
	case n.pages.Same(attr.Base):
		flags |= fuse.FOPEN_KEEP_CACHE
	default:
		n.pages = attr.Base // the kernel drops its pages at this reply
	}
	if !h.Writable() {
		flags |= fuse.FOPEN_NOFLUSH // there is nothing that close could fail to save
	}
	n.attr = attr
	return fh, flags, 0
}

func openRequest(flags uint32) file.OpenRequest {
	acc := flags & unix.O_ACCMODE
	return file.OpenRequest{
		Read:     acc != unix.O_WRONLY,
		Write:    acc != unix.O_RDONLY,
		Trunc:    flags&unix.O_TRUNC != 0,
		Append:   flags&unix.O_APPEND != 0,
		NonBlock: flags&unix.O_NONBLOCK != 0,
	}
}

// Create implements fs.NodeCreater. If somebody else was first, an open without O_EXCL is
// answered ESTALE: Linux looks the name up again and opens what is there.
func (d *dirNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	e, h, err := d.create(ctx, name, flags, mode)
	if err != nil {
		if errors.Is(err, iofs.ErrExist) {
			d.f.tree.Forget(e.key)
			if flags&unix.O_EXCL == 0 {
				d.f.stale.note(callerOf(ctx).Pid, e.key)
				err = file.ErrStale
			}
		}
		return nil, nil, 0, d.f.fail("create", d.key+name, err)
	}
	in := d.answer(ctx, e, out)
	fh, fuseFlags, _ := in.Operations().(*fileNode).opened(h, e.attr)
	return in, fh, fuseFlags, 0
}

func (d *dirNode) create(ctx context.Context, name string, flags, mode uint32) (entry, *file.Handle, error) {
	key, err := d.f.tree.Key(d.key, name)
	e := entry{name: name, key: key, live: true}
	if err != nil {
		return e, nil, err
	}
	r := openRequest(flags)
	r.Key, r.Caller, r.Trunc = key, d.f.caller(ctx, 0), false
	c := callerOf(ctx)
	h, attr, err := d.f.files.Create(uninterrupted(), file.CreateRequest{OpenRequest: r, Mode: mode, UID: c.Uid, GID: c.Gid})
	e.attr = attr
	return e, h, err
}
