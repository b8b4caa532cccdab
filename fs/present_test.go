package fs

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/store"
)

// putAs makes a version of a key with a mode and an owner, as another host would.
func (w *world) putAs(key string, mode, uid uint32) {
	w.t.Helper()
	meta, err := store.Posix{Has: store.HasMode | store.HasUID | store.HasGID, Mode: mode, UID: uid, GID: uid}.Put(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.bucket.PutForeignProps(key, fmt.Sprintf("%o", mode), store.Props{Meta: meta}, "")
}

// chmod is chmod(2) on this host.
func (w *world) chmod(node uint64, mode uint32) {
	w.t.Helper()
	in := fuse.SetAttrIn{}
	in.InHeader, in.Valid, in.Mode = header(node), fuse.FATTR_MODE, mode
	var out fuse.AttrOut
	w.ok("chmod", w.raw.SetAttr(nil, &in, &out))
}

// walk looks up a path.
func (w *world) walk(path string) uint64 {
	w.t.Helper()
	node := uint64(root)
	for name := range strings.SplitSeq(path, "/") {
		node = w.find(node, name)
	}
	return node
}

// mode is what stat shows of the permissions, and the owner; kept is how long the kernel may
// believe it.
func (w *world) mode(node uint64) (shown string, kept time.Duration) {
	w.t.Helper()
	var out fuse.AttrOut
	w.ok("getattr", w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(node)}, &out))
	return fmt.Sprintf("%o %d", out.Mode, out.Uid), out.Timeout()
}

func (w *world) deleteAll(keys ...string) {
	for _, key := range keys {
		w.bucket.DeleteForeign(key)
	}
}

// opens tells how an open of the node by a user, who has a group of the same number, ends.
func (w *world) opens(node uint64, uid uint32) fuse.Status {
	in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: node, Caller: fuse.Caller{Owner: fuse.Owner{Uid: uid, Gid: uid}, Pid: uid}}}
	var out fuse.OpenOut
	s := w.raw.Open(nil, &in, &out)
	if s.Ok() {
		w.release(descriptor{node, out.Fh})
	}
	return s
}

// newSharedWorld is a world in which the users 1000 and 1001 are there.
func newSharedWorld(t *testing.T) *world {
	w := newWorld(t)
	proc := newFakeProc(t)
	proc.thread("1000", 1000, 1000, "", 0, "ours")
	proc.thread("1001", 1001, 1001, "", 0, "ours")
	w.front.proc = proc.fs()
	return w
}

// versionOf gives the node of the version of a path that was made n-th.
func (w *world) versionOf(dir, name string, n int) uint64 {
	w.t.Helper()
	all := w.versionsOf(dir, name)
	if n >= len(all) {
		w.t.Fatalf("%d versions of %s", len(all), name)
	}
	return w.walk(dir + VersionsName + "/" + name + "/" + all[n].Name)
}

// versionsOf gives all versions of a path.
func (w *world) versionsOf(dir, name string) []history.Version {
	w.t.Helper()
	all, err := w.front.history.Versions(w.t.Context(), strings.ReplaceAll(dir, VersionsName+"/", "")+name)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// A view has the mode and the owner that its directory has now, or had when it was removed.
func TestViewShowsTheDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.putAs("d/", unix.S_IFDIR|0o3770, 1000)
		w.putAs("d/f", unix.S_IFREG|0o600, 1000)
		w.putAs("d/sub/", unix.S_IFDIR|0o700, 1001)
		w.putAs("d/sub/x", unix.S_IFREG|0o644, 1001)
		w.bucket.PutForeign("bare/x", "x")
		for path, want := range map[string]string{
			".versions":                  "40755 0",
			".versions/d":                "40755 0",
			".versions/d/.versions":      "43770 1000",
			"d/.versions":                "43770 1000",
			"d/.versions/f":              "43770 1000",
			"d/.versions/sub":            "43770 1000",
			"d/.versions/sub/.versions":  "40700 1001",
			"d/sub/.versions/x":          "40700 1001",
			".versions/bare/.versions":   "40755 0",
			".versions/bare/.versions/x": "40755 0",
		} {
			got, kept := w.mode(w.walk(path))
			if got != want || kept != 0 {
				t.Errorf("%s shows %s, which the kernel keeps for %s; want %s", path, got, kept, want)
			}
		}
		if got := w.list(w.walk(".versions/d")); got != "" {
			t.Errorf("the versions of a name that only a directory ever had: %q", got)
		}
		// What a look-up and a listing answer is what is shown.
		out, s := w.lookup(w.walk("d/.versions"), "f")
		if w.ok("lookup", s); out.Mode != unix.S_IFDIR|0o3770 || out.Uid != 1000 || out.AttrTimeout() != 0 || out.EntryTimeout() != testTTL {
			t.Errorf("a look-up answers %+v", out)
		}

		views := []uint64{w.walk("d/.versions"), w.walk("d/.versions/f"), w.walk(".versions/d/.versions")}
		w.chmod(w.walk("d"), 0o700)
		for _, v := range views {
			if got, _ := w.mode(v); got != "40700 1000" {
				t.Errorf("right after a chmod here the view is %s", got)
			}
		}
		w.putAs("d/", unix.S_IFDIR|0o711, 1002)
		time.Sleep(testTTL)
		for _, v := range views {
			if got, _ := w.mode(v); got != "40711 1002" {
				t.Errorf("after a chmod elsewhere the view is %s", got)
			}
		}

		w.deleteAll("d/f", "d/sub/x", "d/sub/", "d/", "bare/x")
		time.Sleep(testTTL)
		gone := map[string]string{
			".versions/d":                         "40755 0",
			".versions/d/.versions":               "40711 1002",
			".versions/d/.versions/f":             "40711 1002",
			".versions/d/.versions/sub/.versions": "40700 1001",
			".versions/bare/.versions":            "40700 0",
		}
		for range 2 {
			for path, want := range gone {
				if got, _ := w.mode(w.walk(path)); got != want {
					t.Errorf("deleted: %s shows %s, want %s", path, got, want)
				}
			}
			// A file that has the name by now is not the directory.
			w.bucket.PutForeign("d", "a file")
			w.bucket.PutForeign("bare", "a file")
			time.Sleep(testTTL)
		}
	})
}

// A deletion is shown, with no bytes, and cannot be opened, by nobody.
func TestDeletionCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSharedWorld(t)
		w.front.defaults.FileMode = 0o600
		w.putAs("f", 0o600, 1000)
		w.bucket.DeleteForeign("f")
		deletion, content := w.versionOf("", "f", 1), w.versionOf("", "f", 0)
		if got, _ := w.mode(deletion); got != "100444 0" || w.size(deletion) != 0 {
			t.Errorf("the deletion shows %s, %d bytes", got, w.size(deletion))
		}
		for _, uid := range []uint32{0, 1000, 1001} {
			if s := w.opens(deletion, uid); s != fuse.ENODATA {
				t.Errorf("opened by %d: %v", uid, s)
			}
		}
		w.front.proc = procfs.Default // where this process is
		d := w.open(content, unix.O_RDONLY)
		if got := w.read(d); got != "600" {
			t.Errorf("the last content reads %q", got)
		}
		w.release(d)
	})
}

// What is known of a deleted directory is asked for once in the time that it is believed.
func TestViewOfTheDeletedIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.putAs("d/", 0o700, 1000)
		w.deleteAll("d/")
		view := w.walk(".versions/d/.versions")
		before := w.bucket.Count("Head") + w.bucket.Count("ListVersions")
		for range 10 {
			if got, _ := w.mode(view); got != "40700 1000" {
				t.Errorf("the view is %s", got)
			}
		}
		if n := w.bucket.Count("Head") + w.bucket.Count("ListVersions") - before; n != 0 {
			t.Errorf("%d requests", n)
		}
		w.putAs("d/", 0o711, 1001)
		w.deleteAll("d/", "d/")
		time.Sleep(testTTL)
		if got, _ := w.mode(view); got != "40711 1001" {
			t.Errorf("then the view is %s", got)
		}

		// S3 refuses to describe a deletion: only the version is asked for.
		w.front.lists.forget("d/")
		before = w.bucket.Count("Head")
		if a, found, err := w.front.lastAttr(t.Context(), "d/"); err != nil || !found || a.UID != 1001 {
			t.Errorf("the last marker: %+v, %v, %v", a, found, err)
		}
		if n := w.bucket.Count("Head") - before; n != 1 {
			t.Errorf("%d versions were asked for", n)
		}
	})
}

// What this host did to a directory before it removed it counts at once.
func TestViewOfADirectoryThatIsRemovedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, mode := range []uint32{0o755, 0o700, 0o711} {
			w.chmod(w.mkdir(root, "d"), mode)
			w.ok("rmdir", w.rmdir(root, "d"))
			if got, _ := w.mode(w.walk(".versions/d/.versions")); got != fmt.Sprintf("40%o 0", mode) {
				t.Errorf("the view is %s, want %o", got, mode)
			}
		}
	})
}

// A version that is removed for good, while a list of it is remembered, is not the last one.
func TestLastVersionIsPurged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSharedWorld(t)
		w.putAs("d/", 0o700, 1000)
		w.putAs("d/", 0o711, 1001)
		w.deleteAll("d/")
		all, err := w.front.versions(t.Context(), "d/")
		if err != nil || len(all) != 3 {
			t.Fatal(all, err)
		}
		for i, want := range []string{"40700 1000", "40700 0"} { // then nobody's, as if it never had one
			w.bucket.Destroy("d/", all[1-i].Info.VersionID)
			w.front.lists.put("d/", all, time.Now())
			if a, err := w.front.presentDir(t.Context(), "d/"); err != nil || fmt.Sprintf("%o %d", a.Mode, a.UID) != want {
				t.Errorf("the directory is %o of %d, %v; want %s", a.Mode, a.UID, err, want)
			}
		}
	})
}

// If the bucket does not answer, nothing is shown and nothing opened.
func TestViewWithoutTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSharedWorld(t)
		w.putAs("d/", 0o755, 1000)
		w.putAs("d/f", 0o644, 1000)
		v, view := w.versionOf("d/", "f", 0), w.walk("d/.versions")
		time.Sleep(testTTL)
		w.net.On("Head").Fail(store.Refused, store.ErrAccessDenied)
		w.net.On("List").Fail(store.Refused, store.ErrAccessDenied)
		if s := w.opens(v, 1000); s != fuse.EACCES {
			t.Errorf("open: %v", s)
		}
		var out fuse.AttrOut
		if s := w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(view)}, &out); s != fuse.EACCES {
			t.Errorf("getattr: %v", s)
		}
	})
}

func TestSplitKey(t *testing.T) {
	for key, want := range map[string][2]string{
		"a": {"", "a"}, "a/": {"", "a"}, "a/b": {"a/", "b"}, "a/b/": {"a/", "b"}, "a/b/c": {"a/b/", "c"},
	} {
		if dir, name := splitKey(key); dir != want[0] || name != want[1] {
			t.Errorf("%q: %q, %q", key, dir, name)
		}
	}
}
