package fs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/internal/when"
	"github.com/latchfs/latchfs/store"
)

// pastName is the name in a view of versions under which the directory is shown as it stood at any
// time. It hides the versions of a file of that name.
const pastName = "@"

// A pastDir is a directory as it stood at a time: all that was in it, with the modes and times of
// then, and nothing can be changed.
type pastDir struct {
	fs.Inode
	readOnlyNode
	at   time.Time
	up   *pastDir // nil for the one that the view is of
	attr file.Attr
	last atomic.Pointer[string] // the name that was looked up last, of those that took a request
}

// A pastFile is a file or a symlink in one.
type pastFile struct {
	fs.Inode
	readOnlyNode
	up      *pastDir
	version *versionNode // in no directory
}

// pastRoot gives the mount's root as it stood at a time.
func (f *front) pastRoot(at time.Time) *pastDir {
	return &pastDir{readOnlyNode: readOnlyNode{f, f.tree.Root()}, at: at, attr: f.pastBare(at)}
}

// pastBare are the attributes of a directory that had no marker at a time.
func (f *front) pastBare(at time.Time) file.Attr {
	a := f.bareDir()
	a.Mtime, a.Atime, a.Ctime = at, at, at
	return a
}

// pastTop gives the attributes that the directory of a view had at a time; where it had none, those of
// now. That asks for the versions of its marker alone.
func (f *front) pastTop(ctx context.Context, dir string, at time.Time) (file.Attr, error) {
	if dir == f.tree.Root() {
		return f.pastBare(at), nil
	}
	versions, err := f.versions(ctx, dir)
	if err != nil {
		return file.Attr{}, err
	}
	now, err := f.presentDir(ctx, dir)
	if err != nil {
		return now, err
	}
	for i := len(versions) - 1; i >= 0; i-- {
		switch v := versions[i]; {
		case v.Time.After(at):
			continue
		case v.Deleted, v.Info.Base().Same(now.Base):
			return now, nil
		default:
			info, err := f.complete(ctx, v.Info)
			return file.AttrOf(info, f.defaults), err
		}
	}
	return now, nil
}

// complete gives a version that was listed with the properties that the listing lacks. It fails with
// store.ErrNotFound if it was removed for good, also where its id is another one's by now, as "null"
// may be.
func (f *front) complete(ctx context.Context, i store.Info) (store.Info, error) {
	complete, err := f.history.Info(ctx, i.Key, i.VersionID)
	if err == nil && !complete.Base().Same(i.Base()) {
		err = fmt.Errorf("version %q of %q is another one by now: %w", i.VersionID, i.Key, store.ErrNotFound)
	}
	complete.VersionID = i.VersionID
	return complete, err
}

// identifyView gives a node of a view its number, which is that of what it shows, and its generation.
func (f *front) identifyView(mode uint32, number uint64) fs.StableAttr {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gen++
	return fs.StableAttr{Mode: mode, Ino: number, Gen: f.gen}
}

// numberAt is the number of a directory at a time. Keys with NUL have no name.
func numberAt(key string, at time.Time) uint64 {
	return file.Number(key+"\x00"+pastName+when.Path(at), 0)
}

// numberOfVersion is the same at all times at which a file has the version: it is the same content.
func numberOfVersion(i store.Info) uint64 {
	return file.Number(i.Key+"\x00"+i.VersionID+"\x00"+i.ETag, 0)
}

// Getattr implements fs.NodeGetattrer.
func (d *pastDir) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	d.f.fill(&out.Attr, d.attr)
	out.Ino = d.StableAttr().Ino
	out.SetTimeout(d.f.ttl)
	return 0
}

// Statfs implements fs.NodeStatfser.
func (d *pastDir) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno { return statfs(out) }

// Unlink implements fs.NodeUnlinker.
func (*pastDir) Unlink(context.Context, string) syscall.Errno { return unix.EROFS }

// Rmdir implements fs.NodeRmdirer.
func (*pastDir) Rmdir(context.Context, string) syscall.Errno { return unix.EROFS }

// Lookup implements fs.NodeLookuper. There is no view of versions in the past.
func (d *pastDir) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if d.f.isView(name) {
		return nil, unix.ENOENT
	}
	ctx, stop := untilKilled(ctx)
	defer stop()
	e, err := d.f.past.Lookup(ctx, d.dir, name, d.at)
	if err != nil {
		return nil, d.f.fail("lookup", d.dir+name, err)
	}
	in, attr, err := d.child(ctx, e)
	if errors.Is(err, store.ErrNotFound) {
		d.f.past.Forget(d.dir, d.at) // it was removed for good
	}
	if err != nil {
		return nil, d.f.fail("lookup", d.dir+name, err)
	}
	d.f.fill(&out.Attr, attr)
	d.f.believe(out, time.Time{})
	return in, 0
}

// child gives the node of an entry: the one that the kernel may know if it shows the same version.
func (d *pastDir) child(ctx context.Context, e tree.Entry) (*fs.Inode, file.Attr, error) {
	if in := d.GetChild(e.Name); in != nil {
		switch n := in.Operations().(type) {
		case *pastDir:
			if e.Dir && n.attr.Base.Same(e.Info.Base()) {
				return in, n.attr, nil
			}
		case *pastFile:
			if !e.Dir && n.version.info.Base().Same(e.Info.Base()) {
				return in, n.attr(), nil
			}
		}
	}
	newDir := func(a file.Attr) (*fs.Inode, file.Attr, error) {
		n := &pastDir{readOnlyNode: readOnlyNode{d.f, e.Key}, at: d.at, up: d, attr: a}
		return d.NewInode(ctx, n, d.f.identifyView(fuse.S_IFDIR, numberAt(e.Key, d.at))), a, nil
	}
	if e.Dir && e.Info.ETag == "" {
		return newDir(d.f.pastBare(d.at)) // it had no marker
	}
	d.lookAhead(e.Name)
	info, err := d.f.pastAhead.take(ctx, e.Info, d.f.complete)
	switch {
	case err != nil:
		return nil, file.Attr{}, err
	case e.Dir:
		return newDir(file.AttrOf(info, d.f.defaults))
	}
	n := &pastFile{readOnlyNode: d.readOnlyNode, up: d, version: &versionNode{readOnlyNode: d.readOnlyNode, info: info}}
	return d.NewInode(ctx, n, d.f.identifyView(n.attr().Mode&file.ModeType, numberOfVersion(info))), n.attr(), nil
}

// OpendirHandle implements fs.NodeOpendirHandler.
func (d *pastDir) OpendirHandle(ctx context.Context, _ uint32) (fs.FileHandle, uint32, syscall.Errno) {
	ctx, stop := untilKilled(ctx)
	defer stop()
	if err := d.permit(ctx); err != nil {
		return nil, 0, d.f.fail("opendir", d.dir, err)
	}
	h := &dirHandle{list: d.list, fail: d.readdirFailed(d.dir), self: d.StableAttr().Ino}
	if d.up != nil {
		h.up = d.up.StableAttr().Ino
	}
	return h, 0, 0
}

func (d *pastDir) list(ctx context.Context) ([]listed, error) {
	found, err := d.f.past.List(ctx, d.dir, d.at)
	if err != nil {
		return nil, err
	}
	entries := make([]listed, 0, len(found))
	for _, e := range found {
		l := listed{DirEntry: fuse.DirEntry{Name: e.Name, Mode: fuse.S_IFREG}}
		switch {
		case d.f.isView(e.Name): // as in the live tree
			continue
		case e.Dir:
			l.Mode, l.Ino = fuse.S_IFDIR, numberAt(e.Key, d.at)
		default:
			l.Ino = numberOfVersion(e.Info)
			if e.Info.Size > 0 && e.Info.Size <= file.MaxTarget {
				l.Mode = 0 // it may be a symlink, which a listing does not tell
			}
		}
		entries = append(entries, l)
	}
	return entries, nil
}

// attr are the attributes that the file had, with the mode of then: that nothing can be written says
// EROFS.
func (n *pastFile) attr() file.Attr { return file.AttrOf(n.version.info, n.f.defaults) }

// Getattr implements fs.NodeGetattrer.
func (n *pastFile) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.f.fill(&out.Attr, n.attr())
	out.Ino = n.StableAttr().Ino
	out.SetTimeout(n.f.ttl)
	return 0
}

// Getxattr implements fs.NodeGetxattrer: it has what the version has.
func (n *pastFile) Getxattr(ctx context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	if n.up.permitPath(ctx) != nil {
		return 0, getxattr(name)
	}
	return n.version.Getxattr(ctx, name, dest)
}

// Open implements fs.NodeOpener.
func (n *pastFile) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if err := n.up.permitPath(ctx); err != nil {
		return nil, 0, n.f.fail("open", n.version.info.Key, err)
	}
	return n.version.Open(ctx, flags)
}

// Readlink implements fs.NodeReadlinker.
func (n *pastFile) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	ctx, stop := untilKilled(ctx)
	defer stop()
	target, err := n.readlink(ctx)
	if err != nil {
		return nil, n.f.fail("readlink", n.version.info.Key, err)
	}
	return target, 0
}

func (n *pastFile) readlink(ctx context.Context) ([]byte, error) {
	if err := n.up.permitPath(ctx); err != nil {
		return nil, err
	}
	if err := n.version.permit(ctx); err != nil {
		return nil, err
	}
	i := n.version.info
	if i.Size > file.MaxTarget {
		return nil, file.ErrInvalid
	}
	target := make([]byte, i.Size)
	pin := n.f.reader.Pin(i)
	defer pin.Close()
	_, err := pin.ReadFull(ctx, target, 0)
	return target, err
}
