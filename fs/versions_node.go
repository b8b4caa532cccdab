package fs

import (
	"context"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/store"
)

// versionsName is the hidden view that every directory has (SEMANTICS, ".versions/").
const versionsName = ".versions"

// A viewNode is .versions of a directory: a directory for each name that ever was in it.
type viewNode struct {
	fs.Inode
	readOnlyNode
}

// A nameNode is .versions/NAME: the versions of the file of that name, and, if there ever
// was a directory of that name, its own hidden .versions.
type nameNode struct {
	fs.Inode
	readOnlyNode
	key    string // of the file
	dirKey string // of the directory, "" if there never was one
}

// A versionNode is one version: a file that never changes.
type versionNode struct {
	fs.Inode
	readOnlyNode
	info store.Info // complete
	mark bool       // a deletion
}

func (d *dirNode) lookupVersions(ctx context.Context, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return view(ctx, &d.Inode, readOnlyNode{d.f, d.key}, out)
}

// view gives .versions of the directory r.dir, as a child of parent.
func view(ctx context.Context, parent *fs.Inode, r readOnlyNode, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	a, err := r.f.presentDir(ctx, r.dir)
	if err != nil {
		return nil, r.f.fail("lookup", r.dir+versionsName, err)
	}
	r.fillView(a, out)
	if in := parent.GetChild(versionsName); in != nil {
		return in, 0
	}
	return parent.NewInode(ctx, &viewNode{readOnlyNode: r}, fs.StableAttr{Mode: fuse.S_IFDIR}), 0
}

// Lookup implements fs.NodeLookuper.
func (v *viewNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	ctx, stop := untilKilled(ctx)
	defer stop()
	found, err := v.f.history.Find(ctx, v.dir, name)
	if err != nil {
		return nil, v.f.fail("lookup", v.dir+name, err)
	}
	a, err := v.f.presentDir(ctx, v.dir)
	if err != nil {
		return nil, v.f.fail("lookup", v.dir+name, err)
	}
	v.fillView(a, out)
	return v.child(ctx, found), 0
}

func (v *viewNode) child(ctx context.Context, found history.Name) *fs.Inode {
	dirKey := ""
	if found.Dir {
		dirKey = v.dir + found.Name + "/"
	}
	if in := v.GetChild(found.Name); in != nil && in.Operations().(*nameNode).dirKey == dirKey {
		return in
	}
	n := &nameNode{readOnlyNode: v.readOnlyNode, key: v.dir + found.Name, dirKey: dirKey}
	return v.NewInode(ctx, n, fs.StableAttr{Mode: fuse.S_IFDIR})
}

// OpendirHandle implements fs.NodeOpendirHandler.
func (v *viewNode) OpendirHandle(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	list := func(ctx context.Context) ([]listed, error) {
		names, err := v.f.history.Names(ctx, v.dir)
		if err != nil {
			return nil, err
		}
		a, err := v.f.presentDir(ctx, v.dir)
		if err != nil {
			return nil, err
		}
		entries := make([]listed, 0, len(names))
		for _, n := range names {
			entries = append(entries, listed{
				DirEntry: fuse.DirEntry{Name: n.Name, Mode: fuse.S_IFDIR},
				node: func(ctx context.Context, out *fuse.EntryOut) *fs.Inode {
					v.fillView(a, out)
					return v.child(ctx, n)
				},
			})
		}
		return entries, nil
	}
	return &dirHandle{list: list, fail: v.readdirFailed(v.dir)}, 0, 0
}

// Lookup implements fs.NodeLookuper.
func (n *nameNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	ctx, stop := untilKilled(ctx)
	defer stop()
	if name == versionsName {
		if n.dirKey == "" {
			return nil, unix.ENOENT
		}
		return view(ctx, &n.Inode, readOnlyNode{n.f, n.dirKey}, out)
	}
	if in := n.GetChild(name); in != nil {
		n.f.fillVersion(&out.Attr, in.Operations().(*versionNode))
		n.f.believe(out, time.Time{})
		return in, 0
	}
	v, err := n.version(ctx, name)
	if err != nil {
		return nil, n.f.fail("lookup", n.key+"@"+name, err)
	}
	n.f.fillVersion(&out.Attr, v)
	n.f.believe(out, time.Time{})
	return n.NewInode(ctx, v, fs.StableAttr{Mode: fuse.S_IFREG}), 0
}

// version finds the version of that name, with the properties that its listing lacks.
func (n *nameNode) version(ctx context.Context, name string) (*versionNode, error) {
	versions, err := n.f.versions(ctx, n.key)
	if err != nil {
		return nil, err
	}
	v, ok := history.Named(versions, name)
	if !ok {
		return nil, store.ErrNotFound
	}
	node := &versionNode{readOnlyNode: n.readOnlyNode, info: v.Info, mark: v.Deleted}
	if !v.Deleted {
		if node.info, err = n.f.history.Info(ctx, n.key, v.Info.VersionID); err != nil {
			return nil, err
		}
	}
	return node, nil
}

// OpendirHandle implements fs.NodeOpendirHandler.
func (n *nameNode) OpendirHandle(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	list := func(ctx context.Context) ([]listed, error) {
		n.f.lists.forget(n.key) // a new listing is asked for
		versions, err := n.f.versions(ctx, n.key)
		if err != nil {
			return nil, err
		}
		entries := make([]listed, len(versions))
		for i, v := range versions {
			entries[i].DirEntry = fuse.DirEntry{Name: v.Name, Mode: fuse.S_IFREG}
		}
		return entries, nil
	}
	return &dirHandle{list: list, fail: n.readdirFailed(n.key)}, 0, 0
}

// fillVersion: a version has its own size, time, owner and mode, and can only be read. A deletion
// hides nothing, so that whoever tries to read one hears why that fails.
func (f *front) fillVersion(out *fuse.Attr, v *versionNode) {
	a := file.AttrOf(v.info, f.defaults)
	a.Mode = unix.S_IFREG | a.Mode&0o555
	if v.mark {
		a.Mode = unix.S_IFREG | 0o444
	}
	f.fill(out, a)
}

// Getattr implements fs.NodeGetattrer.
func (v *versionNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	v.f.fillVersion(&out.Attr, v)
	out.SetTimeout(v.f.ttl)
	return 0
}

// Open implements fs.NodeOpener. The bytes never change, so the kernel may keep them. A deletion
// cannot be opened: a copy of it would be an empty file that nobody ever wrote.
func (v *versionNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	switch {
	case flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0:
		return nil, 0, v.f.fail("open", v.info.Key, errReadOnly)
	case v.mark:
		return nil, 0, v.f.fail("open", v.info.Key, errDeletion)
	}
	ctx, stop := untilKilled(ctx)
	defer stop()
	if err := v.permit(ctx); err != nil {
		return nil, 0, v.f.fail("open", v.info.Key, err)
	}
	h := &versionHandle{v: v}
	if v.info.Size > 0 {
		h.pin = v.f.reader.Pin(v.info)
	}
	return h, fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH, 0
}

// A versionHandle is an open version; pin is nil if it has no bytes.
type versionHandle struct {
	v   *versionNode
	pin *reader.Pinned
}

// Read implements fs.FileReader.
func (h *versionHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if h.pin == nil {
		return fuse.ReadResultData(nil), 0
	}
	ctx, stop := untilKilled(ctx)
	defer stop()
	n, err := h.pin.ReadFull(ctx, dest, off)
	if err != nil {
		return nil, h.v.f.fail("read", h.v.info.Key, err)
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// Release implements fs.FileReleaser.
func (h *versionHandle) Release(context.Context) syscall.Errno {
	if h.pin != nil {
		h.pin.Close()
	}
	return 0
}
