package file

import (
	"hash/fnv"

	"github.com/latchfs/latchfs/store"
)

// Number is the inode number that a key stands for: the same after each mount and on every
// host, since programs such as git take another number for another file. Further ones, by salt,
// are for a file whose number another one has already. It is none of those that FUSE and
// go-fuse reserve.
func Number(key string, salt byte) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	if salt > 0 {
		h.Write([]byte{0, salt})
	}
	n := h.Sum64()
	if reservedNumber(n) {
		n = uint64(salt) + 2
	}
	return n
}

func reservedNumber(n uint64) bool { return n <= 1 || n == ^uint64(0) }

// numberOf is the inode number of an object: the one that it keeps since it was renamed, if its
// metadata are not those of a copy, else that of its key.
func numberOf(i store.Info) uint64 {
	own := Number(i.Key, 0)
	if n, ok := store.Inode(i.Props.Meta, own); ok && !reservedNumber(n) {
		return n
	}
	return own
}

// withNumber gives the properties of an object that has the key and the number.
func withNumber(p store.Props, key string, number uint64) store.Props {
	p.Meta = store.WithInode(p.Meta, number, Number(key, 0))
	return p
}
