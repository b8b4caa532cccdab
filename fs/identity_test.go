package fs

import (
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// named is a node as identify knows it.
func (f *front) named(key string) (*fileNode, fs.StableAttr) {
	n := &fileNode{f: f, key: key, handles: make(map[*handle]struct{})}
	return n, f.identify(key, 0, n, fuse.S_IFREG)
}

// A name has the same inode number in every mount and for every object that it holds in
// turn, but never that of a file which is still open.
func TestNumbers(t *testing.T) {
	f := newFront(Config{})
	_, first := f.named("a")
	if _, other := newFront(Config{}).named("a"); other.Ino != first.Ino {
		t.Errorf("two mounts give %d and %d", first.Ino, other.Ino)
	}
	_, second := f.named("a")
	if second.Ino != first.Ino {
		t.Errorf("the next object has number %d, want %d", second.Ino, first.Ino)
	}
	if second.Gen == first.Gen {
		t.Error("two nodes have the same generation")
	}

	f = newFront(Config{})
	a, first := f.named("a")
	a.handles[&handle{}] = struct{}{}
	seen := map[uint64]bool{first.Ino: true}
	for i := range 300 { // more than there are salts
		n, attr := f.named("a")
		n.handles[&handle{}] = struct{}{}
		if seen[attr.Ino] {
			t.Fatalf("number %d is given to two open files, the second as the %dth", attr.Ino, i)
		}
		seen[attr.Ino] = true
	}
}

// A name that was taken away stays so; one that was only forgotten is taken back.
func TestRetired(t *testing.T) {
	f := newFront(Config{})
	a, _ := f.named("a")
	if a.retired() {
		t.Error("the current node is retired")
	}
	f.retire("a", a)
	if a.retired() {
		t.Error("a node whose name nobody has does not take it back")
	}
	b, _ := f.named("a")
	if !a.retired() || b.retired() {
		t.Errorf("after another object came: the old node %v, the new one %v", a.retired(), b.retired())
	}
	b.drop()
	if !b.retired() {
		t.Error("a node that lost its name took it back")
	}
}
