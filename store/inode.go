package store

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// metaInode is the inode number of a file that has another one than that of its key: a rename
// keeps the number. A hash of the key beside it tells a copy under another key, which has a
// number of its own.
const metaInode = "latchfs-inode"

// Inode reads the inode number in user metadata. ofKey is the number that the object's key
// stands for; ok is false if the metadata give no number to this key.
func Inode(meta map[string]string, ofKey uint64) (ino uint64, ok bool) {
	s := meta[metaInode]
	number, _, _ := strings.Cut(s, "-")
	ino, err := strconv.ParseUint(number, 16, 64)
	return ino, err == nil && s == formatInode(ino, ofKey)
}

// WithInode returns a copy of meta that gives the number to an object whose key stands for
// ofKey.
func WithInode(meta map[string]string, ino, ofKey uint64) map[string]string {
	out := make(map[string]string, len(meta)+1)
	maps.Copy(out, meta)
	delete(out, metaInode)
	if ino != ofKey {
		out[metaInode] = formatInode(ino, ofKey)
	}
	return out
}

func formatInode(ino, ofKey uint64) string {
	return fmt.Sprintf("%016x-%08x", ino, uint32(ofKey>>32)^uint32(ofKey))
}
