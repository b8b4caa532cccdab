package fs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// setattr is chmod of a node, through a descriptor if d has one. It gives what the kernel is told.
func (w *world) setattr(d descriptor, in fuse.SetAttrInCommon) fuse.Attr {
	w.t.Helper()
	var out fuse.AttrOut
	in.InHeader = header(d.node)
	if d.fh != 0 {
		in.Fh, in.Valid = d.fh, in.Valid|fuse.FATTR_FH
	}
	w.ok("setattr", w.raw.SetAttr(nil, &fuse.SetAttrIn{SetAttrInCommon: in}, &out))
	return out.Attr
}

// The kernel takes the inode number from the answer to each change, and shows it in
// /proc/PID/fdinfo too, by which the commit rule tells whose descriptors are open.
// SEMANTICS Attributes and times
func TestSetattrTellsTheNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.save("a", "x")
		w.mkdir(root, "d")
		file, _ := w.lookup(root, "a")
		dir, _ := w.lookup(root, "d")
		d := w.open(file.NodeId, unix.O_RDWR)
		for _, tt := range []struct {
			name string
			d    descriptor
			in   fuse.SetAttrInCommon
			want uint64
		}{
			{"chmod", descriptor{node: file.NodeId}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}, file.Ino},
			{"chown", descriptor{node: file.NodeId}, fuse.SetAttrInCommon{Valid: fuse.FATTR_UID, Owner: fuse.Owner{Uid: 1}}, file.Ino},
			{"touch", descriptor{node: file.NodeId}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME, Mtime: 1}, file.Ino},
			{"ftruncate", d, fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE}, file.Ino},
			{"chmod of a directory", descriptor{node: dir.NodeId}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o700}, dir.Ino},
			{"touch of the root", descriptor{node: root}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME, Mtime: 1}, rootIno},
		} {
			if got := w.setattr(tt.d, tt.in); got.Ino != tt.want {
				t.Errorf("%s: inode number %d, want %d", tt.name, got.Ino, tt.want)
			}
		}
		w.close(d)
	})
}

// A time that metadata cannot keep is cut at once, and not when it is looked at later.
// SEMANTICS Attributes and times
func TestTimesOutOfRange(t *testing.T) {
	for _, year := range []int{1600, 1677, 2263, 9999} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			set := uint64(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
			for _, n := range []uint64{w.save("a", "x"), w.mkdir(root, "d")} {
				now := w.setattr(descriptor{node: n}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME | fuse.FATTR_ATIME, Mtime: set, Atime: set})
				time.Sleep(2 * testTTL)
				if then := w.attr(n); now.Mtime != then.Mtime || now.Atime != then.Atime || now.Mtime == set {
					t.Errorf("%d: mtime %d and atime %d, later %d and %d", year, int64(now.Mtime), int64(now.Atime), int64(then.Mtime), int64(then.Atime))
				}
			}
		})
	}
}
