package fs

import (
	"testing"
	"testing/synctest"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A mount that shows the view lists it in each directory, those that were deleted included; a real key
// of that name is never shown by it, and cannot be made.
func TestShowVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.front.showVersions = true
		for _, key := range []string{"d/f", "d/.versions/x", ".versions/y", "gone/f", "z"} {
			w.bucket.PutForeign(key, key)
		}
		w.deleteAll("gone/f")
		for path, want := range map[string]string{
			"d": ".versions f", "d/.versions": "f", ".versions/gone": ".versions",
			".versions/gone/.versions": "f", ".versions": "d gone z",
		} {
			if got := w.list(w.walk(path)); got != want {
				t.Errorf("%s lists %q, want %q", path, got, want)
			}
		}
		if got := w.list(root); got != ".versions d z" {
			t.Errorf("the root lists %q", got)
		}
		w.missing(w.walk(".versions"), ".versions")
		if s := w.rmdir(root, ".versions"); s != fuse.EPERM {
			t.Errorf("rmdir: %v", s)
		}
		for _, names := range [][2]string{{".versions", "x"}, {"z", ".versions"}} {
			if s := w.rename(root, names[0], root, names[1]); s != fuse.EROFS {
				t.Errorf("rename %q: %v", names, s)
			}
		}
	})
}

// The view has the name that the mount gives it, or there is none; what has the other name is there.
func TestVersionsDirOfAnotherName(t *testing.T) {
	for name, want := range map[string]string{"history": ".versions f", NoVersions: ".versions f history"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.front.versionsName = viewName(name)
			for _, key := range []string{"d/f", "d/.versions/x", "d/history/y"} {
				w.bucket.PutForeign(key, key)
			}
			d := w.walk("d")
			if got := w.list(d); got != want {
				t.Errorf("%q: %q is listed, want %q", name, got, want)
			}
			if got := w.list(w.walk("d/.versions")); got != "x" {
				t.Errorf("%q: .versions lists %q", name, got)
			}
			shown := map[string]string{"history": ".versions f", NoVersions: "y"}[name]
			if got := w.list(w.walk("d/history")); got != shown {
				t.Errorf("%q: history lists %q, want %q", name, got, shown)
			}
			w.missing(d, "")
			w.close(w.create(d, "new"))
			if s := w.rename(d, "new", w.walk("d/.versions"), "moved"); s != fuse.OK {
				t.Errorf("%q: rename: %v", name, s)
			}
			w.ok("unlink", w.unlink(w.walk("d/.versions"), "moved"))
			if s := w.rmdir(d, "history"); name != NoVersions && s != fuse.EPERM || name == NoVersions && s != fuse.Status(unix.ENOTEMPTY) {
				t.Errorf("%q: rmdir: %v", name, s)
			}
		})
	}
}
