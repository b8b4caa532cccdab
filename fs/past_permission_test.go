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

// asUser sends a request as a user who has a group of the same number.
func asUser(node uint64, uid uint32) fuse.InHeader {
	return fuse.InHeader{NodeId: node, Caller: fuse.Caller{Owner: fuse.Owner{Uid: uid, Gid: uid}, Pid: uid}}
}

// Who reads something of the past has the right to read it now, and to search the directories on
// the way, as they are now and as they were then. Who lists a directory of the past may list it now.
// SEMANTICS ".versions/"
func TestRightsInThePast(t *testing.T) {
	const link = unix.S_IFLNK | 0o777
	base := func(w *world) {
		w.putAs("d/", 0o755, 1000)
		w.putAs("d/e/", 0o755, 1000)
		w.putAs("d/e/f", 0o644, 1000)
		w.putAs("d/e/l", link, 1000)
	}
	for _, tt := range []struct {
		name                string
		make, then          func(w *world)
		reads, links, lists string // who may: root, the owner and another user
	}{
		{"as it is", base, func(*world) {}, "0 1000 1001", "0 1000 1001", "0 1000 1001"},
		{"the file is private now", base, func(w *world) { w.putAs("d/e/f", 0o600, 1000) }, "0 1000", "0 1000 1001", "0 1000 1001"},
		{"the directory is private now", base, func(w *world) { w.putAs("d/e/", 0o700, 1000) }, "0 1000", "0 1000", "0 1000"},
		{"the directory can only be searched now", base, func(w *world) { w.putAs("d/e/", 0o711, 1000) }, "0 1000 1001", "0 1000 1001", "0 1000"},
		{"the one above is private now", base, func(w *world) { w.putAs("d/", 0o700, 1000) }, "0 1000", "0 1000", "0 1000"},
		{"the one above was private then", func(w *world) { base(w); w.putAs("d/", 0o700, 1000) },
			func(w *world) { w.putAs("d/", 0o755, 1000) }, "0 1000", "0 1000", "0 1000 1001"},
		{"all is deleted", base, func(w *world) { w.deleteAll("d/e/f", "d/e/l", "d/e/", "d/") }, "0 1000 1001", "0 1000 1001", "0 1000 1001"},
		{"all is deleted, and was private", base, func(w *world) {
			w.putAs("d/", 0o700, 1000)
			w.deleteAll("d/e/f", "d/e/l", "d/e/", "d/")
		}, "0 1000", "0 1000", "0 1000"},
		{"another user made it again after it was private", base, func(w *world) {
			w.putAs("d/e/", 0o700, 1000)
			w.deleteAll("d/e/f", "d/e/l", "d/e/")
			w.putAs("d/e/", 0o755, 1001)
			w.putAs("d/e/f", 0o644, 1001)
		}, "0 1000", "0 1000", "0 1000"},
		{"the link is a private file now", base, func(w *world) { w.putAs("d/e/l", 0o600, 1000) }, "0 1000 1001", "0 1000", "0 1000 1001"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newSharedWorld(t)
			tt.make(w)
			at := time.Now()
			time.Sleep(time.Hour)
			tt.then(w)
			time.Sleep(testTTL)
			dir := w.past("", at)
			e := w.find(w.find(dir, "d"), "e")
			f, l := w.find(e, "f"), w.find(e, "l")
			var reads, links, lists []string
			note := func(who *[]string, uid uint32, s fuse.Status) {
				if s.Ok() {
					*who = append(*who, fmt.Sprint(uid))
				} else if s != fuse.EACCES {
					t.Errorf("%s: user %d: %v", tt.name, uid, s)
				}
			}
			for _, uid := range []uint32{0, 1000, 1001} {
				note(&reads, uid, w.opens(f, uid))
				h := asUser(l, uid)
				_, s := w.raw.Readlink(nil, &h)
				note(&links, uid, s)
				var out fuse.OpenOut
				s = w.raw.OpenDir(nil, &fuse.OpenIn{InHeader: asUser(e, uid)}, &out)
				note(&lists, uid, s)
			}
			for what, p := range map[string][2]string{
				"reads": {strings.Join(reads, " "), tt.reads}, "links": {strings.Join(links, " "), tt.links}, "lists": {strings.Join(lists, " "), tt.lists},
			} {
				if p[0] != p[1] {
					t.Errorf("%s: %s: %s may, want %s", tt.name, what, p[0], p[1])
				}
			}
			if mode, _ := w.mode(f); mode != "100644 1000" {
				t.Errorf("%s: the file shows %s", tt.name, mode)
			}
		})
	}
}
