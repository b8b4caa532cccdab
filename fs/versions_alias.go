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
)

// aliasMark begins the names in .versions/NAME/ that stand for a version and are in no listing. No
// name of a version begins so.
const aliasMark = "@"

// An aliasNode is a symlink to the version that an alias stood for when it was looked up.
type aliasNode struct {
	fs.Inode
	readOnlyNode
	target string
	attr   file.Attr
}

// alias looks up the version that a word means, which may be all that names a version after PATH@ in a
// command. What it means changes as time goes on and with each version, so the kernel keeps nothing.
func (n *nameNode) alias(ctx context.Context, word string, out *fuse.EntryOut) (*fs.Inode, error) {
	versions, err := n.f.versions(ctx, n.key)
	if err != nil {
		return nil, err
	}
	// The kernel does not tell the zone of the caller.
	v, err := history.Revs{Now: time.Now(), Zone: time.UTC, Labels: n.f.labels}.Find(ctx, n.key, versions, word)
	if err != nil {
		return nil, err
	}
	dir, err := n.f.presentDir(ctx, n.dir)
	if err != nil {
		return nil, err
	}
	a := &aliasNode{readOnlyNode: n.readOnlyNode, target: v.Name, attr: file.Attr{
		// The owner of the directory, else the kernel may refuse to follow it in one like /tmp.
		Mode: unix.S_IFLNK | 0o777, UID: dir.UID, GID: dir.GID, Size: int64(len(v.Name)),
		Mtime: v.Time, Atime: v.Time, Ctime: v.Time,
	}}
	a.f.fill(&out.Attr, a.attr)
	return n.NewInode(ctx, a, fs.StableAttr{Mode: fuse.S_IFLNK}), nil
}

// Getattr implements fs.NodeGetattrer.
func (a *aliasNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	a.f.fill(&out.Attr, a.attr)
	return 0
}

// Readlink implements fs.NodeReadlinker.
func (a *aliasNode) Readlink(context.Context) ([]byte, syscall.Errno) { return []byte(a.target), 0 }
