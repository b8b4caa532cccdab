package fs

import (
	"slices"

	"github.com/hanwen/go-fuse/v2/fs"

	"github.com/latchfs/latchfs/fs/file"
)

// rootIno is the inode number of the root, as FUSE has it.
const rootIno = 1

// A node is a dirNode or fileNode.
type node interface {
	fs.InodeEmbedder
	number() uint64
	keyNow() string
}

// identify gives a new node of the key its number and generation and makes it the current one.
// wanted is the number that the object is known by, 0 if it is that of its key. f.mu is held.
func (f *front) identify(key string, wanted uint64, n node, mode uint32) fs.StableAttr {
	f.gen++
	ino := f.free(key, wanted)
	f.numbers[ino] = append(f.numbers[ino], n)
	f.current[key] = n
	return fs.StableAttr{Mode: mode, Ino: ino, Gen: f.gen}
}

// free gives the number that a new node of the key gets: the wanted one, or the first of the
// key's that is not taken. f.mu is held.
func (f *front) free(key string, wanted uint64) uint64 {
	if wanted != 0 && !f.taken(wanted, key) {
		return wanted
	}
	for salt := 0; ; salt++ {
		ino := file.Number(key, byte(min(salt, 255))) + uint64(max(salt-255, 0))*f.gen // past 255 salts anything will do
		if !f.taken(ino, key) {
			return ino
		}
	}
}

// numberOf is the number that a name has, or that a new node of it would get.
func (f *front) numberOf(key string, wanted uint64) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, ok := f.current[key]; ok {
		return n.number()
	}
	return f.free(key, wanted)
}

// taken tells whether a number belongs to a node that has another name than the key, or that
// may have descriptors. No two live nodes share a number: programs would take them for one
// file, and we tell by it whose descriptors are open, since /proc/PID/fdinfo shows no
// generation. f.mu is held.
func (f *front) taken(ino uint64, key string) bool {
	if ino <= rootIno || ino == ^uint64(0) {
		return true // reserved by FUSE and go-fuse
	}
	return slices.ContainsFunc(f.numbers[ino], func(n node) bool {
		if now := n.keyNow(); now != key && f.current[now] == n {
			return true
		}
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
	if n, ok := n.(*fileNode); ok {
		n.forgotten = true
	}
	ino := n.number()
	f.numbers[ino] = slices.DeleteFunc(f.numbers[ino], func(known node) bool { return known == n })
	if len(f.numbers[ino]) == 0 {
		delete(f.numbers, ino)
	}
}
