package store

import (
	"strings"
	"testing"
)

// A number counts only under the key that it was written for.
func TestInode(t *testing.T) {
	foreign := map[string]string{"mode": "33188"}
	meta := WithInode(foreign, 7, ^uint64(0))
	if n, ok := Inode(meta, ^uint64(0)); !ok || n != 7 || meta["mode"] != "33188" {
		t.Errorf("number %d, %v; metadata %v", n, ok, meta)
	}
	if n, ok := Inode(meta, 6); ok {
		t.Errorf("a copy under another key has the number %d", n)
	}
	if meta = WithInode(meta, 6, 6); len(meta) != 1 || len(foreign) != 1 {
		t.Errorf("the number of the key itself makes the metadata %v", meta)
	}
	good := formatInode(7, 6) // 0000000000000007-00000006
	for _, bad := range []string{"", "7-6", good + "0", " " + good, good[1:], strings.Replace(good, "-", " ", 1), "g" + good[1:], strings.ToUpper(formatInode(15, 6))} {
		if n, ok := Inode(map[string]string{metaInode: bad}, 6); ok {
			t.Errorf("%q is read as %d", bad, n)
		}
	}
}

// Where there is no room for the number the file has that of its key; mode and mtime go first.
func TestInodeInFullMetadata(t *testing.T) {
	p := Posix{Mode: 0o100644, Has: HasMode | HasMtime}
	must := len(metaMode) + len("0100644") + len(metaMtime) + len(formatTime(p.Mtime)) + len(metaDigest) + digestSize
	foreign := map[string]string{"x": strings.Repeat("x", MaxMeta-ownReserve-must-1)}
	meta, err := p.Put(WithInode(foreign, 7, 6))
	if _, ok := Inode(meta, 6); err != nil || ok {
		t.Errorf("metadata %v: %v", meta, err)
	}
	foreign["x"] = foreign["x"][len(metaInode)+len(formatInode(7, 6)):]
	meta, err = p.Put(WithInode(foreign, 7, 6))
	if n, ok := Inode(meta, 6); err != nil || !ok || n != 7 {
		t.Errorf("where there is room: number %d, %v: %v", n, ok, err)
	}
}
