package fs

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// An open of a version needs the rights that the file and the directories give now.
func TestOpenNeedsTodaysRight(t *testing.T) {
	const link = unix.S_IFLNK | 0o777
	for _, tt := range []struct {
		name string
		make func(w *world) // the last version of f then is what is opened
		then func(w *world)
		dir  string
		want string // who may: root, the owner and another user
	}{
		{"as it is", func(w *world) { w.putAs("f", 0o644, 1000) }, func(*world) {}, "", "0 1000 1001"},
		{"private", func(w *world) { w.putAs("f", 0o644, 1000) },
			func(w *world) { w.putAs("f", 0o600, 1000) }, "", "0 1000"},
		{"private and being written", func(w *world) { w.putAs("f", 0o644, 1000) },
			func(w *world) { n := w.find(root, "f"); w.open(n, unix.O_RDWR); w.chmod(n, 0o600) }, "", "0 1000"},
		{"given away", func(w *world) { w.putAs("f", 0o600, 1000) },
			func(w *world) { w.putAs("f", 0o600, 1001) }, "", "0 1001"},
		{"deleted", func(w *world) { w.putAs("f", 0o644, 1000) },
			func(w *world) { w.bucket.DeleteForeign("f") }, "", "0 1000 1001"},
		{"deleted after it was private", func(w *world) { w.putAs("f", 0o644, 1000) },
			func(w *world) { w.putAs("f", 0o600, 1000); w.bucket.DeleteForeign("f"); w.bucket.DeleteForeign("f") }, "", "0 1000"},
		{"deleted, and now a directory", func(w *world) { w.putAs("f", 0o644, 1000) },
			func(w *world) { w.putAs("f", 0o600, 1000); w.bucket.DeleteForeign("f"); w.putAs("f/", 0o777, 1001) }, "", "0 1000"},
		{"hidden by a directory", func(w *world) { w.putAs("f", 0o644, 1000) },
			func(w *world) { w.putAs("f", 0o600, 1000); w.putAs("f/", 0o777, 1001) }, "", "0 1000"},
		{"replaced by a symlink", func(w *world) { w.putAs("f", 0o644, 1000) },
			func(w *world) { w.putAs("f", link, 1000) }, "", "0 1000"},
		{"a symlink", func(w *world) { w.putAs("f", link, 1000) },
			func(w *world) { w.putAs("f", link, 1000) }, "", "0 1000 1001"},
		{"below a private directory", func(w *world) { w.putAs("d/", 0o755, 1000); w.putAs("d/e/f", 0o644, 1000) },
			func(w *world) { w.putAs("d/", 0o700, 1000) }, "d/e/", "0 1000"},
		{"below a private directory that was deleted",
			func(w *world) {
				w.putAs("d/", 0o700, 1000)
				w.putAs("d/e/", 0o755, 1000)
				w.putAs("d/e/f", 0o644, 1000)
			},
			func(w *world) { w.deleteAll("d/e/f", "d/e/", "d/") }, ".versions/d/.versions/e/", "0 1000"},
		{"below a directory without a marker that was deleted", func(w *world) { w.putAs("d/f", 0o644, 1000) },
			func(w *world) { w.deleteAll("d/f") }, ".versions/d/", "0"},
		{"below a private directory that another user made again",
			func(w *world) { w.putAs("d/", 0o755, 1000); w.putAs("d/f", 0o644, 1000) },
			func(w *world) {
				w.putAs("d/", 0o700, 1000)
				w.deleteAll("d/f", "d/")
				w.putAs("d/", 0o755, 1001)
			}, "d/", "0 1000"},
		{"below a private directory that lost its marker",
			func(w *world) { w.putAs("d/", 0o700, 1000); w.putAs("d/f", 0o644, 1000) },
			func(w *world) { w.putAs("d/g", 0o644, 1000); w.deleteAll("d/") }, "d/", "0 1000"},
		{"below a directory that was for all when it was removed, and made again",
			func(w *world) { w.putAs("d/", 0o700, 1000); w.putAs("d/f", 0o644, 1000) },
			func(w *world) {
				w.putAs("d/", 0o755, 1000)
				w.deleteAll("d/")
				w.putAs("d/", 0o755, 1001)
			}, "d/", "0 1000 1001"},
		{"below a directory that was removed and made again in the second of the version",
			func(w *world) {
				w.putAs("d/", 0o755, 1001)
				w.deleteAll("d/")
				w.putAs("d/", 0o700, 1000)
				w.putAs("d/f", 0o644, 1000)
			},
			func(w *world) {
				time.Sleep(2 * time.Second)
				w.deleteAll("d/f", "d/")
				w.putAs("d/", 0o755, 1001)
			}, "d/", "0 1000"},
		{"private when it was deleted, and another user made it again", func(w *world) { w.putAs("f", 0o644, 1000) },
			func(w *world) { w.putAs("f", 0o600, 1000); w.bucket.DeleteForeign("f"); w.putAs("f", 0o644, 1001) }, "", "0 1000"},
		{"made again since another user removed a private one", func(w *world) {
			w.putAs("f", 0o600, 1001)
			w.bucket.DeleteForeign("f")
			w.putAs("f", 0o644, 1000)
		}, func(w *world) { w.putAs("f", 0o644, 1000) }, "", "0 1000 1001"},
		{"in a directory that can only be searched", func(w *world) { w.putAs("d/", 0o711, 1000); w.putAs("d/f", 0o644, 1000) },
			func(*world) {}, "d/", "0 1000 1001"},
		{"in a directory that can only be listed", func(w *world) { w.putAs("d/", 0o744, 1000); w.putAs("d/f", 0o644, 1000) },
			func(*world) {}, "d/", "0 1000"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newSharedWorld(t)
			tt.make(w)
			n := len(w.versionsOf(tt.dir, "f")) - 1
			known := w.versionOf(tt.dir, "f", n)
			tt.then(w)
			time.Sleep(testTTL)
			for _, v := range []uint64{known, w.versionOf(tt.dir, "f", n)} {
				var may []string
				for _, uid := range []uint32{0, 1000, 1001} {
					switch s := w.opens(v, uid); s {
					case fuse.OK:
						may = append(may, fmt.Sprint(uid))
					case fuse.EACCES:
					default:
						t.Errorf("%s: user %d: %v", tt.name, uid, s)
					}
				}
				if got := strings.Join(may, " "); got != tt.want {
					t.Errorf("%s: %s may, want %s", tt.name, got, tt.want)
				}
			}
		})
	}
}

// What is changed here counts at once.
func TestOpenRightAfterChmod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSharedWorld(t)
		w.putAs("d/", 0o755, 1000)
		w.putAs("d/f", 0o644, 1000)
		v := w.versionOf("d/", "f", 0)
		for _, step := range []struct {
			path string
			mode uint32
			want fuse.Status
		}{{"d/f", 0o600, fuse.EACCES}, {"d/f", 0o644, fuse.OK}, {"d", 0o700, fuse.EACCES}, {"d", 0o711, fuse.OK}} {
			w.chmod(w.walk(step.path), step.mode)
			if s := w.opens(v, 1001); s != step.want {
				t.Errorf("chmod %o %s: %v, want %v", step.mode, step.path, s, step.want)
			}
		}
	})
}

// A file that another key's object is shown as is not the file of that name.
func TestOpenBesideAShownName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSharedWorld(t)
		w.putAs("f~file", 0o644, 1000)
		w.putAs("f~file", 0o600, 1000)
		w.deleteAll("f~file")
		w.putAs("f", 0o644, 1001)
		w.putAs("f/x", 0o644, 1001)
		w.find(root, "f~file") // the object f
		v := w.versionOf("", "f~file", 0)
		if own, other := w.opens(v, 1000), w.opens(v, 1001); own != fuse.OK || other != fuse.EACCES {
			t.Errorf("the owner: %v, another: %v", own, other)
		}
	})
}

// The list of the versions of a deleted file that is kept from a moment ago does not decide.
func TestOpenOfTheDeletedAsksAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSharedWorld(t)
		w.putAs("f", 0o644, 1000)
		w.bucket.DeleteForeign("f")
		v := w.versionOf("", "f", 0)
		if s := w.opens(v, 1001); s != fuse.OK {
			t.Fatal(s)
		}
		w.putAs("f", 0o600, 1000)
		w.bucket.DeleteForeign("f")
		if s := w.opens(v, 1001); s != fuse.EACCES {
			t.Errorf("a version that had been made private before it was deleted: %v", s)
		}
	})
}

// What this host removes counts at once, however long lists are believed.
func TestOpenAfterARemoval(t *testing.T) {
	for _, how := range []string{"unlink", "rename"} {
		synctest.Test(t, func(t *testing.T) {
			w := newSharedWorld(t)
			w.putAs("d/", 0o755, 1000)
			w.putAs("d/f", 0o644, 1000)
			dir, v := w.find(root, "d"), w.versionOf("d/", "f", 0)
			w.chmod(w.walk("d/f"), 0o644)
			w.ok("open", w.opens(v, 1001)) // and lists what there is
			w.chmod(w.walk("d/f"), 0o600)
			if how == "unlink" {
				w.ok(how, w.unlink(dir, "f"))
			} else {
				w.ok(how, w.rename(dir, "f", dir, "g"))
			}
			w.putAs("d/f", 0o644, 1001)
			w.front.tree.Forget("d/f")
			if s := w.opens(v, 1001); s != fuse.EACCES {
				t.Errorf("%s: another user, who made the name again: %v", how, s)
			}
		})
	}
}
