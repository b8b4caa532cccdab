package fs

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/tree"
)

// Mkdir implements fs.NodeMkdirer.
func (d *dirNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	key, err := d.f.tree.DirKey(d.key, name)
	if err != nil {
		return nil, d.f.fail("mkdir", d.key+name, err)
	}
	c := callerOf(ctx)
	gid, setGID := d.group(c.Gid)
	a, err := d.f.files.Mkdir(d.f.forUser(uninterrupted(), ctx), key, mode|setGID, c.Uid, gid)
	if err != nil {
		d.f.tree.Forget(key)
		return nil, d.f.fail("mkdir", key, err)
	}
	d.changed()
	return d.answer(ctx, entry{name: name, key: key, attr: a}, out), 0
}

// Symlink implements fs.NodeSymlinker.
func (d *dirNode) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	key, err := d.f.tree.Key(d.key, name)
	if err != nil {
		return nil, d.f.fail("symlink", d.key+name, err)
	}
	c := callerOf(ctx)
	gid, _ := d.group(c.Gid)
	a, err := d.f.files.Symlink(d.f.forUser(uninterrupted(), ctx), file.SymlinkRequest{
		Key: key, Target: target, UID: c.Uid, GID: gid, Number: d.f.numberOf(key, 0),
	})
	if err != nil {
		d.f.tree.Forget(key)
		return nil, d.f.fail("symlink", key, err)
	}
	d.changed()
	return d.answer(ctx, entry{name: name, key: key, attr: a}, out), 0
}

// Link implements fs.NodeLinker: it is refused.
func (d *dirNode) Link(_ context.Context, _ fs.InodeEmbedder, name string, _ *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, d.f.fail("link", d.key+name, errHardLink)
}

// Readlink implements fs.NodeReadlinker.
func (n *fileNode) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	ctx, stop := untilKilled(ctx)
	defer stop()
	key := n.keyNow()
	target, err := n.f.files.Readlink(ctx, key)
	if err != nil {
		return nil, n.f.fail("readlink", key, n.f.lookAgain(key, err))
	}
	return []byte(target), 0
}

// fileKey is the key of what is under a name: a file beside a directory of the same name is
// shown under another one than its key's.
func (d *dirNode) fileKey(name string) (string, error) {
	if in := d.GetChild(name); in != nil {
		if n, ok := in.Operations().(*fileNode); ok {
			if key, ok := n.shownAs(d, name); ok {
				return key, nil
			}
		}
	}
	return d.f.tree.Key(d.key, name)
}

// Unlink implements fs.NodeUnlinker.
func (d *dirNode) Unlink(_ context.Context, name string) syscall.Errno {
	key, err := d.fileKey(name)
	if err != nil {
		return d.f.fail("unlink", d.key+name, err)
	}
	r := d.removing(name, key)
	defer d.f.Versions.Forget(key) // the removal counts at once for who may read its versions (permit)
	if err := d.f.files.Unlink(uninterrupted(), key, r.gone); err != nil {
		r.fail()
		d.f.tree.Forget(key)
		return d.f.fail("unlink", d.key+name, err)
	}
	return 0
}

// Rmdir implements fs.NodeRmdirer.
func (d *dirNode) Rmdir(_ context.Context, name string) syscall.Errno {
	if d.f.isView(name) {
		return unix.EPERM
	}
	key, err := d.f.tree.DirKey(d.key, name)
	if err != nil {
		return d.f.fail("rmdir", d.key+name, err)
	}
	r := d.removing(name, key)
	defer d.f.Versions.Forget(key) // the markers that it had when it was removed before
	entries, err := d.f.entries(key)
	if err == nil {
		err = d.f.files.Rmdir(uninterrupted(), key, r.gone)
	}
	// Whoever sees nothing in the directory has to learn why it cannot be removed.
	if e, ok := errors.AsType[*file.NotEmptyError](err); ok && entries == 0 && d.f.hidden(e) {
		err = fmt.Errorf("%w: %w", err, errHidden)
	}
	if err != nil {
		r.fail()
		d.f.tree.Forget(key)
		return d.f.fail("rmdir", d.key+name, err)
	}
	return 0
}

// entries counts what the directory shows, and fails if that includes a directory that the bucket
// does not have: one whose last entry was removed here, which stays until it is removed itself.
func (f *front) entries(key string) (n int, err error) {
	entries, err := f.tree.List(uninterrupted(), key)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if e.Dir && e.Complete && e.Info.ETag == "" {
			return n, file.ErrNotEmpty
		}
		if !f.isView(e.Name) {
			n++
		}
	}
	return n, nil
}

// hidden tells whether the key that was found in a directory is shown under no name.
func (f *front) hidden(e *file.NotEmptyError) bool {
	name, _, shown := tree.Child(e.Dir, e.Key)
	return !shown || f.isView(name)
}

// Rename implements fs.NodeRenamer.
func (d *dirNode) Rename(ctx context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := newParent.(*dirNode)
	if !ok {
		return d.f.fail("rename", d.key+name, errReadOnly)
	}
	if err := d.rename(d.f.forUser(uninterrupted(), ctx), name, to, newName, flags); err != nil {
		return d.f.fail("rename", d.key+name, err)
	}
	return 0
}

func (d *dirNode) rename(ctx context.Context, name string, to *dirNode, newName string, flags uint32) error {
	if flags&^unix.RENAME_NOREPLACE != 0 {
		return errExchange
	}
	if d.f.isView(name) || d.f.isView(newName) {
		return errReadOnly
	}
	if in := d.GetChild(name); in != nil && in.IsDir() {
		return errRenameDir
	}
	oldKey, err := d.fileKey(name)
	if err != nil {
		return err
	}
	newKey, err := to.fileKey(newName)
	if err != nil {
		return err
	}
	if oldKey == newKey {
		return nil
	}
	m := d.moving(name, oldKey, to, newName, newKey)
	defer d.f.Versions.Forget(oldKey) // as in Unlink
	if err := d.f.files.Rename(ctx, oldKey, newKey, flags&unix.RENAME_NOREPLACE != 0, m.moved); err != nil {
		m.fail()
		d.f.tree.Forget(oldKey)
		d.f.tree.Forget(newKey)
		return err
	}
	return nil
}
