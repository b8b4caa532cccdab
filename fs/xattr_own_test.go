package fs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// xattr is an attribute as a caller gets it who has room for so many bytes.
func (w *world) xattr(node uint64, name string, room int, uid uint32) (value string, size int, s fuse.Status) {
	h := header(node)
	if uid != 0 {
		h.Caller = fuse.Caller{Owner: fuse.Owner{Uid: uid, Gid: uid}, Pid: uid}
	}
	dest := make([]byte, room)
	n, s := w.raw.GetXAttr(nil, &h, ownXattr+name, dest)
	return string(dest[:min(int(n), room)]), int(n), s
}

// What latchfs tells of a file and its versions by extended attributes: no listing has them, and nobody
// sets them.
func TestOwnXattrs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeignProps("f", "foreign", store.Props{StorageClass: "STANDARD_IA"}, "")
		node := w.find(root, "f")
		d := w.open(node, unix.O_WRONLY|unix.O_TRUNC)
		w.write(d, 0, "ours")
		check := func(what string, node uint64, i store.Info, class, host string) {
			t.Helper()
			for name, want := range map[string]string{"version-id": i.VersionID, "etag": i.ETag, "storage-class": class, "host": host, "lock": "", "retention": "", "": ""} {
				got, n, s := w.xattr(node, name, 100, 0)
				if got != want || (s == fuse.OK) != (want != "") || s != fuse.OK && s != fuse.Status(unix.ENODATA) {
					t.Errorf("%s: %s is %q, %v; want %q", what, name, got, s, want)
				}
				if _, size, s := w.xattr(node, name, 0, 0); want != "" && (s != fuse.OK || size != n || n != len(want)) {
					t.Errorf("%s: %s has %d bytes, %v", what, name, size, s)
				}
				if _, _, s := w.xattr(node, name, 1, 0); want != "" && s != fuse.Status(unix.ERANGE) {
					t.Errorf("%s: %s in one byte: %v", what, name, s)
				}
			}
			h := header(node)
			if n, s := w.raw.ListXAttr(nil, &h, make([]byte, 100)); n != 0 || s != fuse.OK {
				t.Errorf("%s: %d bytes of names, %v", what, n, s)
			}
			if s := w.raw.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: h}, ownXattr+"etag", []byte("x")); s != fuse.EPERM {
				t.Errorf("%s: set: %v", what, s)
			}
			if s := w.raw.RemoveXAttr(nil, &h, ownXattr+"none"); s != fuse.EPERM {
				t.Errorf("%s: removed: %v", what, s)
			}
		}
		foreign := w.bucket.History("f")[0].Info
		check("a file that is being written", node, foreign, "STANDARD_IA", "")
		w.close(d)
		w.save("new", "x")
		time.Sleep(2 * testTTL)
		all := w.bucket.History("f")
		check("the file", w.find(root, "f"), all[1].Info, "STANDARD_IA", "here")
		check("a new one", w.find(root, "new"), w.bucket.History("new")[0].Info, "STANDARD", "here")
		w.ok("unlink", w.unlink(root, "f"))
		check("the first version", w.versionOf("", "f", 0), foreign, "STANDARD_IA", "")
		check("the second version", w.versionOf("", "f", 1), all[1].Info, "STANDARD_IA", "here")
		check("the deletion", w.versionOf("", "f", 2), store.Info{VersionID: w.bucket.History("f")[2].Info.VersionID}, "", "")
		check("a file that is not in the bucket", w.create(root, "unsaved").node, store.Info{}, "", "")
		for _, path := range []string{".versions", ".versions/f", ".versions/f/@first"} {
			check(path, w.walk(path), store.Info{}, "", "")
		}
		w.mkdir(root, "d")
		check("a directory", w.walk("d"), store.Info{}, "", "")
	})
}

// A listing has no version ids; the attribute tells it all the same.
func TestOwnXattrsOfAListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("f", "x")
		time.Sleep(time.Hour)
		d := w.openDir(root)
		w.readDir(d, 0, 1<<16, true) // an entry of a listing, which has no version ids
		w.releaseDir(d)
		if got, _, s := w.xattr(w.find(root, "f"), "version-id", 100, 0); got != w.versionIDs("f")[0] {
			t.Errorf("version-id: %q, %v", got, s)
		}
	})
}

// Who may not read a version is told nothing of it.
func TestOwnXattrsNeedTodaysRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSharedWorld(t)
		w.putAs("f", 0o644, 1000)
		v := w.versionOf("", "f", 0)
		w.putAs("f", 0o600, 1000)
		time.Sleep(testTTL)
		for _, name := range []string{"version-id", "etag", "host", "none"} {
			if _, _, s := w.xattr(v, name, 100, 1001); s != fuse.EACCES {
				t.Errorf("%s: %v", name, s)
			}
		}
		if _, _, s := w.xattr(v, "etag", 100, 1000); s != fuse.OK {
			t.Errorf("the owner: %v", s)
		}
	})
}

// user.latchfs.lock tells who has the lock of a file.
func TestLockXattr(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("d/f", "x")
		node := w.walk("d/f")
		var holder lockmgr.Holder
		var fails error
		w.front.holder = func(_ context.Context, key string) (lockmgr.Holder, error) {
			if key != "d/f" {
				t.Errorf("asked for %q", key)
			}
			return holder, fails
		}
		if _, _, s := w.xattr(node, "lock", 100, 0); s != fuse.Status(unix.ENODATA) {
			t.Errorf("free: %v", s)
		}
		holder = lockmgr.Holder{Host: "two", User: "root", PID: 7, Since: time.Unix(0, 0)}
		if got, _, s := w.xattr(node, "lock", 100, 0); got != "two (root, pid 7) since 1970-01-01T00:00:00Z" {
			t.Errorf("%q, %v", got, s)
		}
		fails = errors.Join(lockmgr.ErrUnavailable)
		if _, _, s := w.xattr(node, "lock", 100, 0); s != fuse.EIO || !strings.Contains(w.log.String(), "getxattr") {
			t.Errorf("the table is away: %v", s)
		}
	})
}
