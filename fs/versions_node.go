package fs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
)

const (
	// VersionsName is what the hidden view of each directory is called, unless the mount says otherwise
	// (SEMANTICS, ".versions/").
	VersionsName = ".versions"
	// NoVersions is what the mount says for no view.
	NoVersions = "off"
)

// isView tells whether a name of a directory is that of the view.
func (f *front) isView(name string) bool { return f.versionsName != "" && name == f.versionsName }

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
	key string // of the file
	// wasDir: it is known that there ever was a directory.
	wasDir atomic.Bool
}

func (d *dirNode) lookupVersions(ctx context.Context, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return view(ctx, &d.Inode, readOnlyNode{d.f, d.key}, out)
}

// view gives .versions of the directory r.dir, as a child of parent.
func view(ctx context.Context, parent *fs.Inode, r readOnlyNode, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	a, err := r.f.presentDir(ctx, r.dir)
	if err != nil {
		return nil, r.f.fail("lookup", r.dir+r.f.versionsName, err)
	}
	r.fillView(a, out)
	if in := parent.GetChild(r.f.versionsName); in != nil {
		return in, 0
	}
	return parent.NewInode(ctx, &viewNode{readOnlyNode: r}, fs.StableAttr{Mode: fuse.S_IFDIR}), 0
}

// Lookup implements fs.NodeLookuper.
func (v *viewNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	ctx, stop := untilKilled(ctx)
	defer stop()
	if name == pastName {
		return v.lookupPast(ctx, out)
	}
	if v.f.isView(name) {
		return nil, unix.ENOENT // a key of this name is not shown
	}
	began := time.Now()
	found, read, err := v.f.history.Find(ctx, v.dir, name)
	if err != nil {
		return nil, v.f.fail("lookup", v.dir+name, err)
	}
	if found.File {
		v.f.begun.put(v.dir+name, read, began, v.f.ttl)
	}
	a, err := v.f.presentDir(ctx, v.dir)
	if err != nil {
		return nil, v.f.fail("lookup", v.dir+name, err)
	}
	v.fillView(a, out)
	return v.child(ctx, found), 0
}

func (v *viewNode) child(ctx context.Context, found history.Name) *fs.Inode {
	in := v.GetChild(found.Name)
	if in == nil {
		n := &nameNode{readOnlyNode: v.readOnlyNode, key: v.dir + found.Name}
		in = v.NewInode(ctx, n, fs.StableAttr{Mode: fuse.S_IFDIR})
	}
	if found.Dir {
		in.Operations().(*nameNode).wasDir.Store(true)
	}
	return in
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
			if v.f.isView(n.Name) {
				continue
			}
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
	if n.f.isView(name) {
		if err := n.needDir(ctx); err != nil {
			return nil, n.f.fail("lookup", n.key, err)
		}
		return view(ctx, &n.Inode, readOnlyNode{n.f, n.key + "/"}, out)
	}
	if word, ok := strings.CutPrefix(name, aliasMark); ok {
		in, err := n.alias(ctx, word, out)
		if err != nil {
			return nil, n.f.fail("lookup", n.key+name, err)
		}
		return in, 0
	}
	v, err := n.version(ctx, name)
	if err != nil {
		return nil, n.f.fail("lookup", n.key+"@"+name, err)
	}
	n.f.fillVersion(&out.Attr, v)
	n.f.believe(out, time.Time{})
	return n.NewInode(ctx, v, v.identity()), 0
}

// needDir fails unless there ever was a directory of this name.
func (n *nameNode) needDir(ctx context.Context) error {
	if n.wasDir.Load() {
		return nil
	}
	was, err := n.f.history.WasDir(ctx, n.key+"/")
	if err == nil && !was {
		err = store.ErrNotFound
	}
	n.wasDir.Store(was)
	return err
}

// version finds the version of that name. A list of a while ago tells its id, too, and the bucket
// whether it is still there: a new list of many versions takes many requests, and whoever reads the
// names of all looks up each of them.
func (n *nameNode) version(ctx context.Context, name string) (*versionNode, error) {
	versions, ok := n.f.lists.get(n.key, n.f.ttl)
	if !ok {
		old, _ := n.f.lists.get(n.key, keepLists)
		if v, ok := history.Named(old, name); ok && !v.Deleted {
			if node, err := n.complete(ctx, v); !errors.Is(err, store.ErrNotFound) {
				return node, err
			}
		}
		var err error
		if versions, err = n.f.versions(ctx, n.key); err != nil {
			return nil, err
		}
	}
	v, ok := history.Named(versions, name)
	if !ok {
		return nil, store.ErrNotFound
	}
	if in := n.GetChild(name); in != nil {
		if known, ok := in.Operations().(*versionNode); ok && known.is(v) {
			return n.node(v, known.info), nil
		}
	}
	return n.complete(ctx, v)
}

// complete gives a version of a list with the properties that the list lacks. It fails with
// store.ErrNotFound if the version is gone.
func (n *nameNode) complete(ctx context.Context, v history.Version) (*versionNode, error) {
	if v.Deleted {
		return n.node(v, v.Info), nil
	}
	info, err := n.f.history.Info(ctx, n.key, v.Info.VersionID)
	if err != nil {
		return nil, err
	}
	if !info.Base().Same(v.Info.Base()) {
		return nil, fmt.Errorf("the version id %q is another version's by now: %w", v.Info.VersionID, store.ErrNotFound)
	}
	info.VersionID = v.Info.VersionID
	return n.node(v, info), nil
}

func (n *nameNode) node(v history.Version, complete store.Info) *versionNode {
	return &versionNode{readOnlyNode: n.readOnlyNode, info: complete, mark: v.Deleted, began: v.Time}
}

// OpendirHandle implements fs.NodeOpendirHandler.
func (n *nameNode) OpendirHandle(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	list := func(ctx context.Context) ([]listed, error) {
		versions, err := n.f.newVersions(ctx, n.key)
		if err != nil {
			return nil, err
		}
		entries := make([]listed, len(versions))
		for i, v := range versions {
			entries[i].DirEntry = fuse.DirEntry{Name: v.Name, Ino: numberOf(v.Info), Mode: fuse.S_IFREG}
		}
		if n.f.showVersions {
			switch err := n.needDir(ctx); {
			case err == nil:
				entries = append(entries, n.f.viewEntry())
			case !errors.Is(err, store.ErrNotFound):
				return nil, err
			}
		}
		return entries, nil
	}
	return &dirHandle{list: list, fail: n.readdirFailed(n.key)}, 0, 0
}
