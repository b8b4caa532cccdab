package fs

import (
	"context"
	"errors"
	iofs "io/fs"
	"syscall"
	"time"

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
	caller := callerOf(ctx)
	try, again := f.stale.again(caller, key)
	retired := n.retired()
	switch {
	case retired && !again:
		return nil, 0, f.openAgain(caller, key)
	case n.isNameless() && try.looked == nil:
		return nil, 0, unix.ESTALE // a descriptor was opened again by /proc/self/fd
	}
	r := openRequest(flags)
	if r.Write && f.readOnly {
		return nil, 0, unix.EROFS
	}
	r.Key, r.Caller = key, f.caller(ctx, n.number())
	n.mu.Lock()
	seen, several := n.seen, n.several
	n.mu.Unlock()
	r.Again = again
	// If the file is cut to nothing it does not matter what the kernel knows of it, unless
	// somebody here still shows the version that it knows. At the second try it does if it is
	// what was looked up for this open; else it may be older than the open.
	if !r.Trunc || n.isOpen() {
		switch {
		case !again && several && !r.Write && !r.Trunc:
			return nil, 0, f.openAgain(caller, key) // the look-up gives a new node
		case !again && several:
			// The same for a write, but under the lease, which then stays until the second try.
			r.Known = new(store.Base)
		case !again, !several && try.known() != nil && try.looked.Same(seen):
			r.Known = &seen
		}
	}
	until := untilKilled
	if r.Write {
		until = untilInterrupted
	}
	ctx, stop := until(ctx)
	defer stop()
	if r.Write || r.Trunc {
		defer f.sayWaiting(key, caller)()
	}
	h, attr, err := f.files.Open(f.forUser(ctx, ctx), r)
	setIDs := err == nil && r.Trunc && caller.Uid != 0 && attr.Mode != attr.WithoutSetIDs()
	if setIDs { // as a write takes them away (handle.Write)
		if attr, err = h.SetAttr(f.forUser(uninterrupted(), ctx), file.Change{NoSetIDs: true}); err != nil {
			h.Release()
		}
	}
	if err != nil {
		return nil, 0, n.openFailed(r, caller, err)
	}
	if retired && r.Write {
		n.takeBack(h.Key())
	}
	fh, fuseFlags := n.opened(h, attr)
	if fuseFlags&fuse.FOPEN_KEEP_CACHE == 0 || setIDs {
		// The kernel drops its pages at this reply, but not the size, which may be another
		// version's and would cut what is read. Answers that are under way are dropped too.
		n.NotifyContent(-1, 0) // the attributes only, which takes no lock of the inode
	}
	return fh, fuseFlags, 0
}

// openAgain gives the errno of an open that Linux is to repeat, after a LOOKUP, which then has to
// ask the bucket.
func (f *front) openAgain(caller fuse.Caller, key string) syscall.Errno {
	f.tree.Forget(key)
	f.stale.note(caller, key, true)
	return unix.ESTALE
}

// openFailed gives the errno of an open that failed.
func (n *fileNode) openFailed(r file.OpenRequest, caller fuse.Caller, err error) syscall.Errno {
	_, held := errors.AsType[*lockmgr.HeldError](err)
	switch {
	case held && r.NonBlock:
		n.f.note("open", r.Key, unix.EWOULDBLOCK, told, err)
		return unix.EWOULDBLOCK
	case r.Again: // there is no third
	case errors.Is(err, file.ErrStale), errors.Is(err, store.ErrNotFound):
		n.f.openAgain(caller, r.Key)
		err = staleIfGone(err)
	}
	return n.f.fail("open", r.Key, err)
}

// opened makes the handle of an open that succeeded and decides what the kernel may keep.
func (n *fileNode) opened(h *file.Handle, attr file.Attr) (*handle, uint32) {
	fh := &handle{n: n, file: h}
	_, clean := h.Saved()
	followed := n.follows(h.Key())
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handles[fh] = struct{}{}
	var flags uint32
	switch {
	case !n.sees(attr.Base) && !attr.Base.Absent():
		// The second try after an ESTALE found yet another version, or the file is cut to
		// nothing: the kernel's size and pages are of no use to this handle.
		flags |= fuse.FOPEN_DIRECT_IO
		n.tell(attr)
	case n.pages.Same(attr.Base) && (followed || clean && !n.dirtied):
		flags |= fuse.FOPEN_KEEP_CACHE
	default:
		// The kernel drops its pages when it gets this reply.
		n.pages, n.dirtied = store.Base{}, !clean
		fh.drops.Store(&attr.Base)
	}
	if !h.Writable() {
		flags |= fuse.FOPEN_NOFLUSH // there is nothing that close could fail to save
	}
	n.attr = attr
	return fh, flags
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

// Create implements fs.NodeCreater. If somebody else was first, an open without O_EXCL gets
// what is there, or is answered ESTALE: Linux looks the name up again and opens it.
func (d *dirNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	e, h, err := d.create(ctx, name, flags, mode)
	if errors.Is(err, iofs.ErrExist) {
		d.f.tree.Forget(e.key)
		if flags&unix.O_EXCL == 0 {
			e, h, err = d.openTaken(ctx, name, flags)
		}
	}
	if err != nil {
		return nil, nil, 0, d.f.fail("create", d.key+name, err)
	}
	in := d.answer(ctx, e, out)
	fh, fuseFlags := in.Operations().(*fileNode).opened(h, e.attr)
	return in, fh, fuseFlags, 0
}

// openTaken opens a file that was found where one was to be made. The kernel checks nothing of
// what it believes to be new, so this is for the owner's files; for those of others, and if the
// name changes once more meanwhile, the answer is ErrStale. A second ESTALE would reach the
// program, so that is not always the answer: the name may change as often as somebody likes.
func (d *dirNode) openTaken(ctx context.Context, name string, flags uint32) (entry, *file.Handle, error) {
	c, cancel := context.WithTimeout(uninterrupted(), file.NameWait)
	defer cancel()
	e, err := d.f.find(c, d, name)
	if err == nil && ownerMay(callerOf(ctx).Uid, e.attr, flags) {
		r := openRequest(flags)
		r.Key, r.Caller, r.Known = e.key, d.f.caller(ctx, 0), &e.attr.Base
		h, attr, err := d.f.files.Open(d.f.forUser(c, ctx), r)
		if err == nil {
			e.attr, e.live, e.seen = attr, h.Writable(), time.Time{}
			return e, h, nil
		}
	}
	if e.key == "" {
		e.key = d.key + name
	}
	d.f.stale.note(callerOf(ctx), e.key, true)
	return e, nil, file.ErrStale
}

// ownerMay tells whether the file is regular, the caller's own, and open to its owner.
func ownerMay(uid uint32, a file.Attr, flags uint32) bool {
	var want uint32
	r := openRequest(flags)
	if r.Read {
		want |= unix.S_IRUSR
	}
	if r.Write || r.Trunc {
		want |= unix.S_IWUSR
	}
	return a.Mode&file.ModeType == file.ModeRegular && uid == a.UID && (uid == 0 || a.Mode&want == want)
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
	gid, _ := d.group(c.Gid)
	h, attr, err := d.f.files.Create(d.f.forUser(uninterrupted(), ctx), file.CreateRequest{
		OpenRequest: r, Mode: mode, UID: c.Uid, GID: gid, Number: d.f.numberOf(key, 0),
	})
	e.attr = attr
	if err == nil {
		d.changed()
	}
	return e, h, err
}

// Mknod implements fs.NodeMknoder, for regular files alone. The name is in the bucket when it
// returns: no close will come.
func (d *dirNode) Mknod(ctx context.Context, name string, mode, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if mode&unix.S_IFMT != unix.S_IFREG {
		return nil, d.f.fail("mknod", d.key+name, errNode)
	}
	e, h, err := d.create(ctx, name, unix.O_WRONLY, mode)
	if err != nil {
		return nil, d.f.fail("mknod", d.key+name, err)
	}
	in := d.answer(ctx, e, out)
	until, stop := untilKilled(ctx)
	defer stop()
	err = h.Sync(until)
	h.Release()
	if err != nil {
		return nil, d.f.fail("mknod", e.key, err)
	}
	return in, 0
}
