package fs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A symlink that another host has removed or replaced is looked up again when it is followed, by
// asking the bucket: the kernel is answered ESTALE once, and no program sees that, or EINVAL.
// SEMANTICS G2
func TestReadlinkOfWhatOthersChanged(t *testing.T) {
	for _, tt := range []struct {
		what  string
		then  func(other *world) // after the symlink was removed
		looks func(w *world)     // at the second try
	}{
		{"removed", func(*world) {}, func(w *world) { w.missing(root, "l") }},
		{"a file", func(other *world) { other.save("l", "x") }, func(w *world) { w.close(w.open(w.find(root, "l"), unix.O_RDONLY)) }},
		{"another symlink", func(other *world) { other.symlink("new", "l") }, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			other := newWorldOn(t, w.bucket)
			other.symlink("old", "l")
			time.Sleep(2 * testTTL)
			h := header(w.find(root, "l"))
			other.ok("unlink", other.unlink(root, "l"))
			tt.then(other)
			target, s := w.raw.Readlink(nil, &h)
			if tt.looks == nil {
				if w.ok("readlink", s); string(target) != "new" {
					t.Errorf("%s: the target is %q", tt.what, target)
				}
				return
			}
			if s != stale {
				t.Errorf("%s: %v", tt.what, s)
			}
			tt.looks(w)
		})
	}
}

// symlink makes a symlink in the root.
func (w *world) symlink(target, name string) {
	w.t.Helper()
	var out fuse.EntryOut
	h := header(root)
	w.ok("symlink", w.raw.Symlink(nil, &h, target, name, &out))
}
