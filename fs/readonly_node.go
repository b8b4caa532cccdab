package fs

import (
	"context"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
)

// A readOnlyNode refuses what would change a node of the view. go-fuse would let some of it
// pass in silence.
type readOnlyNode struct {
	f   *front
	dir string // the key of the directory that the view is of
}

// Getattr implements fs.NodeGetattrer for the directories of the view: they have the mode and the
// owner that the directory has now. The kernel keeps no attributes, since it judges by them and
// does not hear of a change of the directory.
func (r readOnlyNode) Getattr(ctx context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	ctx, stop := untilKilled(ctx)
	defer stop()
	a, err := r.f.presentDir(ctx, r.dir)
	if err != nil {
		return r.f.fail("getattr", r.dir+r.f.versionsName, err)
	}
	r.f.fill(&out.Attr, a)
	return 0
}

// fillView fills the reply to a look-up of a directory of the view. The kernel may keep the name,
// but not the attributes (Getattr).
func (r readOnlyNode) fillView(a file.Attr, out *fuse.EntryOut) {
	r.f.fill(&out.Attr, a)
	out.SetEntryTimeout(r.f.ttl)
}

// Setattr implements fs.NodeSetattrer.
func (readOnlyNode) Setattr(context.Context, fs.FileHandle, *fuse.SetAttrIn, *fuse.AttrOut) syscall.Errno {
	return unix.EROFS
}

// Create implements fs.NodeCreater.
func (readOnlyNode) Create(context.Context, string, uint32, uint32, *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, unix.EROFS
}

// Mkdir implements fs.NodeMkdirer.
func (readOnlyNode) Mkdir(context.Context, string, uint32, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, unix.EROFS
}

// Mknod implements fs.NodeMknoder.
func (readOnlyNode) Mknod(context.Context, string, uint32, uint32, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, unix.EROFS
}

// Symlink implements fs.NodeSymlinker.
func (readOnlyNode) Symlink(context.Context, string, string, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, unix.EROFS
}

// Link implements fs.NodeLinker.
func (readOnlyNode) Link(context.Context, fs.InodeEmbedder, string, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, unix.EROFS
}

// Unlink implements fs.NodeUnlinker.
func (readOnlyNode) Unlink(context.Context, string) syscall.Errno { return unix.EPERM }

// Rmdir implements fs.NodeRmdirer.
func (readOnlyNode) Rmdir(context.Context, string) syscall.Errno { return unix.EPERM }

// Rename implements fs.NodeRenamer.
func (readOnlyNode) Rename(context.Context, string, fs.InodeEmbedder, string, uint32) syscall.Errno {
	return unix.EROFS
}

// Getxattr implements fs.NodeGetxattrer.
func (readOnlyNode) Getxattr(_ context.Context, name string, _ []byte) (uint32, syscall.Errno) {
	return 0, getxattr(name)
}

// Setxattr implements fs.NodeSetxattrer.
func (r readOnlyNode) Setxattr(_ context.Context, name string, _ []byte, _ uint32) syscall.Errno {
	if strings.HasPrefix(name, ownXattr) {
		return r.f.setxattr(r.dir+r.f.versionsName, name)
	}
	return unix.EROFS
}

// Removexattr implements fs.NodeRemovexattrer.
func (readOnlyNode) Removexattr(_ context.Context, name string) syscall.Errno {
	if strings.HasPrefix(name, ownXattr) {
		return unix.EPERM
	}
	return unix.EROFS
}

func (r readOnlyNode) readdirFailed(key string) func(error) syscall.Errno {
	return func(err error) syscall.Errno { return r.f.fail("readdir", key, err) }
}
