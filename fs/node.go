package fs

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/store"
)

// A dirNode is a directory. Its key ends in "/", or is "" for the root of a bucket; it
// never changes, since directories are not renamed.
type dirNode struct {
	fs.Inode
	f      *front
	key    string
	parent *dirNode // nil for the root
	name   string
	attr   atomic.Pointer[file.Attr] // as the kernel was told last, or nil
	// wasRead: its entries were asked for.
	wasRead atomic.Bool
	// removals counts the names that were removed from it here.
	removals atomic.Int64
}

func (d *dirNode) number() uint64 { return d.StableAttr().Ino }

// OnForget implements fs.NodeOnForgetter.
func (d *dirNode) OnForget() { d.f.forget(d) }

func (d *dirNode) keyNow() string { return d.key }

// group is the group of what the caller makes in the directory: the directory's own if that has
// the set-group-id bit, which directories made in it have too.
func (d *dirNode) group(caller uint32) (gid, setGID uint32) {
	if a := d.attr.Load(); a != nil && a.Mode&unix.S_ISGID != 0 {
		return a.GID, unix.S_ISGID
	}
	return caller, 0
}

// A fileNode is a regular file or a symlink.
type fileNode struct {
	fs.Inode
	f *front

	mu sync.Mutex // taken after front.mu

	// The fields below are guarded by mu.

	key    string // that it has, or had when it lost its name
	parent *dirNode
	name   string // that it is shown under
	// nameless: the object was removed, replaced or is in a conflict file; only handles that
	// are open still show it.
	nameless bool
	attr     file.Attr
	// seen is the version whose attributes the kernel was told last.
	seen store.Base
	// several: the kernel was told those of more than one version, and which one it has we do not
	// know. It drops an answer if another one about the same inode came while it waited, so that
	// the one that was formed last may be lost. What we changed ourselves does not count.
	several bool
	// pages is the version whose bytes the kernel's pages show, besides what was written
	// through this node; the zero Base if that is not certain.
	pages store.Base
	// dirtied: something was written through this node since pages was set.
	dirtied bool
	handles map[*handle]struct{}

	forgotten bool // by the kernel; guarded by front.mu
}

func (n *fileNode) number() uint64 { return n.StableAttr().Ino }

// OnForget implements fs.NodeOnForgetter.
func (n *fileNode) OnForget() { n.f.forget(n) }

func (n *fileNode) keyNow() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.key
}

// shownAs gives the key of a node that is shown under the name in the directory.
func (n *fileNode) shownAs(d *dirNode, name string) (key string, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.key, !n.nameless && n.name == name && n.parent.key == d.key
}

func (n *fileNode) isNameless() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.nameless
}

// isOpen tells whether descriptors of the node may be open.
func (n *fileNode) isOpen() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.handles) > 0
}

// anyHandle returns a handle of the node, one that may write if there is any; nil if there is
// none.
func (n *fileNode) anyHandle() *handle {
	n.mu.Lock()
	defer n.mu.Unlock()
	var found *handle
	for h := range n.handles {
		if found == nil || h.file.Writable() {
			found = h
		}
	}
	return found
}

// isDetached tells whether the node's open file has lost its name to somebody else, which no
// LOOKUP has found out yet.
func (n *fileNode) isDetached() bool {
	h := n.anyHandle()
	return h != nil && h.file.Detached()
}

// follows tells whether a handle of the node follows the live file of the key.
func (n *fileNode) follows(key string) bool {
	n.mu.Lock()
	handles := slices.Collect(maps.Keys(n.handles))
	n.mu.Unlock()
	return slices.ContainsFunc(handles, func(h *handle) bool { return h.file.Follows(key) })
}

// shows tells whether the node may go on under its name when that was found to be this.
func (n *fileNode) shows(e entry) bool {
	if e.attr.Mode&file.ModeType != n.Mode() {
		return false
	}
	if e.live && n.follows(e.key) {
		return true // whatever version it has become
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	// If it is dirtied, we do not know what became of what was written.
	return !n.dirtied && n.sees(e.attr.Base)
}

// sees tells whether the kernel has the attributes of the version, and never had those of another
// one that others wrote. n.mu is held.
func (n *fileNode) sees(version store.Base) bool { return !n.several && n.seen.Same(version) }

// tell notes that the kernel is told these attributes. n.mu is held.
func (n *fileNode) tell(a file.Attr) {
	n.several = n.several || !n.seen.Same(a.Base)
	n.attr, n.seen = a, a.Base
}

// child gives the node for what was found under a name: the one that the kernel may know if
// it is still the same object, else a new one.
func (d *dirNode) child(ctx context.Context, e entry) *fs.Inode {
	if !e.dir() && d.f.nodeOf(e.key) == nil {
		d.f.freeNumber(ctx, e.key, e.attr)
	}
	for {
		known := d.f.nodeOf(e.key)
		n, ok := known.(*fileNode)
		same := ok && n.shows(e)
		if in := d.childIf(ctx, e, known, same); in != nil {
			return in
		}
	}
}

// childIf is child if known is still the node that has the name. same tells whether it goes on,
// if it is one of a file.
func (d *dirNode) childIf(ctx context.Context, e entry, known node, same bool) *fs.Inode {
	f := d.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current[e.key] != known {
		return nil
	}
	switch n := known.(type) {
	case *dirNode:
		n.attr.Store(&e.attr)
		return n.EmbeddedInode()
	case *fileNode:
		if same {
			n.mu.Lock()
			n.attr, n.seen = e.attr, e.attr.Base
			n.mu.Unlock()
			return n.EmbeddedInode()
		}
		f.retire(e.key, n)
	}
	if !e.dir() {
		return d.newFile(ctx, e)
	}
	n := &dirNode{f: f, key: e.key, parent: d, name: e.name}
	n.attr.Store(&e.attr)
	return d.NewInode(ctx, n, f.identify(e.key, e.attr.Number, n, fuse.S_IFDIR))
}

// newFile makes a new node. f.mu is held.
func (d *dirNode) newFile(ctx context.Context, e entry) *fs.Inode {
	n := &fileNode{
		f: d.f, key: e.key, parent: d, name: e.name, attr: e.attr, seen: e.attr.Base,
		handles: make(map[*handle]struct{}),
	}
	return d.NewInode(ctx, n, d.f.identify(e.key, e.attr.Number, n, e.attr.Mode&file.ModeType))
}

// retired tells that the name belongs to another node by now. A node that the kernel had
// forgotten and found again takes its name back.
func (n *fileNode) retired() bool {
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	key := n.keyNow()
	cur, ok := n.f.current[key]
	if !ok && !n.isNameless() {
		n.f.current[key], n.forgotten = n, false
		if ino := n.number(); !slices.Contains(n.f.numbers[ino], node(n)) {
			n.f.numbers[ino] = append(n.f.numbers[ino], n)
		}
		return false
	}
	return cur != n
}

// takeBack gives the name to a node that was opened for write at the second try, although a look-up
// had given it to another one meanwhile. That one keeps it if it is open; then two nodes show one
// file, and the kernel is to trust nothing that it has of this one (see handle.changed).
func (n *fileNode) takeBack(key string) {
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	other, ok := n.f.current[key].(*fileNode)
	shared := ok && other.isOpen()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.key != key {
		return // it was renamed meanwhile
	}
	n.nameless = false
	if shared {
		n.several = true
	} else {
		n.f.current[key] = n
	}
}

// drop takes the name from a node whose object is not under it any more.
func (n *fileNode) drop() {
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	n.loseName(n.keyNow())
}

// dropFrom is drop, unless the node has another name by now.
func (n *fileNode) dropFrom(key string) {
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	if n.keyNow() == key {
		n.loseName(key)
	}
}

// loseName is drop. f.mu is held.
func (n *fileNode) loseName(key string) {
	n.f.retire(key, n)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nameless = true
}

// dropped notes that the kernel has dropped its pages, for an open of the version.
func (n *fileNode) dropped(version store.Base) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pages.Absent() {
		n.pages = version
	}
}

// saved notes that what was written through the node is in the bucket as this version.
func (n *fileNode) saved(b store.Base) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen, n.pages, n.dirtied = b, b, false
}
