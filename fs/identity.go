package fs

import (
	"hash/fnv"
	"slices"

	"github.com/hanwen/go-fuse/v2/fs"
)

// rootIno is the inode number of the root, as FUSE has it.
const rootIno = 1

// A node is a dirNode or fileNode.
type node interface {
	fs.InodeEmbedder
	number() uint64
	keyNow() string
}

// inodeNumber is the number that a key gets if nobody has it: the same after each mount,
// since programs such as git take another number for another file.
func inodeNumber(key string, salt byte) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	if salt > 0 {
		h.Write([]byte{0, salt})
	}
	n := h.Sum64()
	if n <= rootIno || n == ^uint64(0) { // reserved by go-fuse
		n = uint64(salt) + 2
	}
	return n
}

// identify gives a new node of the key its number and generation and makes it the current
// one. No two live nodes share a number, since /proc/PID/fdinfo, by which we tell whose
// descriptors are open, shows no generation; a file that was moved away keeps its own. f.mu
// is held.
func (f *front) identify(key string, n node, mode uint32) fs.StableAttr {
	f.gen++
	ino := inodeNumber(key, 0)
	for salt := byte(1); f.taken(ino); salt++ {
		ino = inodeNumber(key, salt) + f.gen*uint64(salt/255) // past 255 salts anything will do
	}
	f.numbers[ino] = append(f.numbers[ino], n)
	f.current[key] = n
	return fs.StableAttr{Mode: mode, Ino: ino, Gen: f.gen}
}

// taken tells whether a number belongs to a node that may have descriptors. f.mu is held.
func (f *front) taken(ino uint64) bool {
	return slices.ContainsFunc(f.numbers[ino], func(n node) bool {
		fn, ok := n.(*fileNode)
		return ok && fn.isOpen()
	})
}

// retire takes the name away from a node: it belongs to another object now, or to none. f.mu
// is held.
func (f *front) retire(key string, n node) {
	if f.current[key] == n {
		delete(f.current, key)
	}
}

// isCurrent tells whether the name belongs to the node.
func (f *front) isCurrent(key string, n node) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current[key] == n
}

// nodeOf is the node that has a name, or nil.
func (f *front) nodeOf(key string) node {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current[key]
}

// forget ends a node that the kernel forgot.
func (f *front) forget(n node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retire(n.keyNow(), n)
	if file, ok := n.(*fileNode); ok {
		file.forgotten = true
	}
	ino := n.number()
	f.numbers[ino] = slices.DeleteFunc(f.numbers[ino], func(known node) bool { return known == n })
	if len(f.numbers[ino]) == 0 {
		delete(f.numbers, ino)
	}
}
