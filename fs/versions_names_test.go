package fs

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// stat is what stat(2) shows.
func (w *world) stat(node uint64) fuse.Attr {
	w.t.Helper()
	var out fuse.AttrOut
	w.ok("getattr", w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(node)}, &out))
	return out.Attr
}

// readlink reads a symlink.
func (w *world) readlink(node uint64) string {
	w.t.Helper()
	h := header(node)
	target, s := w.raw.Readlink(nil, &h)
	w.ok("readlink", s)
	return string(target)
}

// content is what a file reads.
func (w *world) content(path string) string {
	w.t.Helper()
	d := w.open(w.walk(path), unix.O_RDONLY)
	defer w.release(d)
	return w.read(d)
}

// versionIDs gives the ids of all versions of a key, oldest first.
func (w *world) versionIDs(key string) (ids []string) {
	for _, v := range w.bucket.History(key) {
		ids = append(ids, v.Info.VersionID)
	}
	return ids
}

// A name that was read finds its version as long as that exists, whatever older versions somebody has
// removed for good since; a version that was removed is not there, and no other one in its place.
// SEMANTICS ".versions/"
func TestVersionNamesOutliveAPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 6 {
			w.bucket.PutForeign("d/f.txt", fmt.Sprint("version ", i)) // in one second
		}
		view := w.walk("d/.versions/f.txt")
		names := strings.Fields(w.list(view))
		ids := w.versionIDs("d/f.txt")
		for i := range 5 {
			w.bucket.Destroy("d/f.txt", ids[i])
			if i%2 == 1 {
				time.Sleep(2 * testTTL)
			}
			if i == 3 {
				time.Sleep(keepLists)
			}
			for j, name := range names[i+1:] {
				if got, want := w.content("d/.versions/f.txt/"+name), fmt.Sprint("version ", i+1+j); got != want {
					t.Errorf("without the first %d, %s reads %q, want %q", i+1, name, got, want)
				}
			}
			time.Sleep(testTTL)
			for _, name := range names[:i+1] {
				w.missing(view, name)
			}
		}
		if got := w.list(view); !strings.Contains(got, "Z.000~") || got == names[5] {
			t.Errorf("the last one is listed as %s, it was %s", got, names[5])
		}
		one, other := w.walk("d/.versions/f.txt/"+w.list(view)), w.walk("d/.versions/f.txt/"+names[5])
		if w.inode(one) != w.inode(other) {
			t.Error("two names of one version have two inode numbers")
		}
	})
}

// A version shows the mtime that the file had, and as ctime when it became current; a change of the
// mode is ~meta; no version has the file's inode number, and readdir tells that of stat.
// SEMANTICS ".versions/"
func TestVersionAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		mtime := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
		node := w.save("f.txt", "one")
		in := fuse.SetAttrIn{}
		in.InHeader, in.Valid = header(node), fuse.FATTR_MTIME
		in.Mtime, in.Mtimensec = uint64(mtime.Unix()), uint32(mtime.Nanosecond())
		time.Sleep(10 * time.Second)
		var out fuse.AttrOut
		w.ok("utimens", w.raw.SetAttr(nil, &in, &out))
		time.Sleep(10 * time.Second)
		w.chmod(node, 0o751)
		time.Sleep(10 * time.Second)
		w.ok("unlink", w.unlink(root, "f.txt"))

		names, numbers := w.entries(w.walk(".versions/f.txt"))
		versions := w.versionsOf("", "f.txt")
		if len(names) != 4 {
			t.Fatalf("%q", names)
		}
		seen := map[uint64]string{w.inode(node): "the file"}
		for i, want := range []struct {
			suffix string
			mode   uint32
			own    bool
		}{{".txt", 0o444, false}, {"~meta.txt", 0o444, true}, {"~meta.txt", 0o551, true}, {"~deleted.txt", 0o444, false}} {
			a := w.stat(w.walk(".versions/f.txt/" + names[i]))
			if !strings.HasSuffix(names[i], want.suffix) || strings.Count(names[i], "~") != 1+strings.Count(want.suffix, "~") {
				t.Errorf("%s: it should end with %s", names[i], want.suffix)
			}
			if a.Mode != unix.S_IFREG|want.mode || int64(a.Ctime) != versions[i].Time.Unix() {
				t.Errorf("%s: mode %o, ctime %d; want %o, %d", names[i], a.Mode, a.Ctime, want.mode, versions[i].Time.Unix())
			}
			if own := time.Unix(int64(a.Mtime), int64(a.Mtimensec)).Equal(mtime); own != want.own {
				t.Errorf("%s: mtime %d.%d", names[i], a.Mtime, a.Mtimensec)
			}
			if other := seen[a.Ino]; other != "" || numbers[names[i]] != a.Ino {
				t.Errorf("%s: inode %d, in the directory %d, which %s has, too", names[i], a.Ino, numbers[names[i]], other)
			}
			seen[a.Ino] = names[i]
		}
	})
}

// The versions of a bucket whose versioning is suspended are listed, found and read, that with the id
// "null" too, wherever it stands. What replaces it has its id, but not its name, nor its number; who
// has it open gets ESTALE and no byte of another version.
// SEMANTICS G3, ".versions/"
func TestNullVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		put := func(body string) {
			w.bucket.PutForeign("f", body)
			time.Sleep(3 * time.Second)
		}
		put("one")
		w.bucket.Suspend()
		put("null")
		w.check(t, "one null")
		null := strings.Fields(w.list(w.walk(".versions/f")))[1]
		d := w.open(w.walk(".versions/f/"+null), unix.O_RDONLY)
		number := w.inode(d.node)
		view := w.walk(".versions/f")
		put("NULL")
		w.missing(view, null)
		w.check(t, "one NULL")
		w.missing(view, null)
		buf := make([]byte, 100)
		if _, s := w.raw.Read(nil, &fuse.ReadIn{InHeader: header(d.node), Fh: d.fh, Size: 100}, buf); s != fuse.Status(unix.ESTALE) {
			t.Errorf("the version that was replaced reads %v", s)
		}
		if now := w.walk(".versions/f/" + strings.Fields(w.list(view))[1]); w.inode(now) == number {
			t.Error("another version with the id null has the same inode number")
		}
		w.ok("enable", fuse.ToStatus(w.bucket.EnableVersioning(t.Context())))
		put("two")
		w.check(t, "one NULL two")
		w.bucket.Suspend()
		w.bucket.DeleteForeign("f") // takes the id
		time.Sleep(3 * time.Second)
		w.check(t, "one two")
		if got := w.list(view); !strings.HasSuffix(got, "~null~deleted") {
			t.Errorf("the deletion is in %s", got)
		}
	})
}

// A bucket that never was versioned shows the one version of each file.
func TestVersionsWithoutVersioning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, memstore.Options{})
		w.bucket.PutForeign("f", "null")
		w.check(t, "null")
	})
}

// check reads all versions of f that are no deletions.
func (w *world) check(t *testing.T, want string) {
	t.Helper()
	var got []string
	for name := range strings.FieldsSeq(w.list(w.walk(".versions/f"))) {
		if !strings.HasSuffix(name, "~deleted") {
			got = append(got, w.content(".versions/f/"+name))
		}
	}
	if got := strings.Join(got, " "); got != want {
		t.Errorf("the versions read %q, want %q", got, want)
	}
}

// Where nothing is believed, a look-up of a listed version is one request all the same, and what was
// removed for good is missed at once.
func TestVersionsWhereNothingIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.front.ttl = 0
		for i := range 50 {
			w.bucket.PutForeign("f", fmt.Sprint("version ", i))
		}
		view := w.walk(".versions/f")
		names, ids := strings.Fields(w.list(view)), w.versionIDs("f")
		before := w.bucket.Count("ListVersions")
		for _, name := range names {
			w.find(view, name)
		}
		if n := w.bucket.Count("ListVersions") - before; n != 0 || w.bucket.Count("Head") < len(names) {
			t.Errorf("the look-ups took %d listings and %d other requests", n, w.bucket.Count("Head"))
		}
		w.bucket.Destroy("f", ids[0])
		w.missing(view, names[0])
		w.bucket.PutForeign("f", "new")
		if got := w.readlink(w.find(view, "@0s")); w.content(".versions/f/"+got) != "new" || got != strings.Fields(w.list(view))[49] {
			t.Errorf("the newest is %s", got)
		}
	})
}

// What another tool removes for good is not there any more once the time is over for which names are
// believed, also for whoever knows the name; who has it open gets ESTALE.
func TestVersionIsRemovedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("f", "one")
		w.bucket.PutForeign("f", "two")
		view := w.walk(".versions/f")
		name := strings.Fields(w.list(view))[0]
		d := w.open(w.walk(".versions/f/"+name), unix.O_RDONLY)
		w.bucket.Destroy("f", w.versionIDs("f")[0])
		time.Sleep(testTTL)
		w.missing(view, name)
		buf := make([]byte, 100)
		if _, s := w.raw.Read(nil, &fuse.ReadIn{InHeader: header(d.node), Fh: d.fh, Size: 100}, buf); s != fuse.Status(unix.ESTALE) {
			t.Errorf("the version that was removed reads %v", s)
		}
		w.bucket.PutForeign("f", "three")
		w.check(t, "two three")
	})
}

// An alias is a symlink to what it stands for at this moment, and in no listing.
// SEMANTICS ".versions/"
func TestVersionAliases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.putAs("d/", 0o750, 1000)
		began := time.Now()
		for i := range 3 {
			w.bucket.PutForeign("d/f.txt", fmt.Sprint("version ", i))
			time.Sleep(time.Hour)
		}
		view := w.walk("d/.versions/f.txt")
		check := func(aliases map[string]string) {
			t.Helper()
			for alias, want := range aliases {
				out, s := w.lookup(view, alias)
				if want == "" {
					if s != fuse.ENOENT {
						t.Errorf("%s: %v", alias, s)
					}
					continue
				}
				w.ok(alias, s)
				target := w.readlink(out.NodeId)
				if got := w.content("d/.versions/f.txt/" + target); got != want || strings.Contains(target, "/") {
					t.Errorf("%s -> %s reads %q, want %q", alias, target, got, want)
				}
				if a := w.stat(out.NodeId); a.Mode != unix.S_IFLNK|0o777 || a.Uid != 1000 || a.Size != uint64(len(target)) || out.EntryTimeout() != 0 || out.AttrTimeout() != 0 {
					t.Errorf("%s: %+v", alias, a)
				}
			}
		}
		names := strings.Fields(w.list(view))
		first := began.UTC().Format("@2006-01-02T15.04.05Z")
		check(map[string]string{"@first": "version 0", "@prev": "version 1", "@90m": "version 1", "@-90m": "version 1", "@0s": "version 2", first: "version 0",
			"@4h": "", "@yesterday": "", "@~2": "version 0", "@~3": "", "@last": "", "@": "", "@2019": "", "@" + names[0]: "version 0", "@" + w.versionIDs("d/f.txt")[1]: "version 1"})
		if got := w.list(view); strings.Contains(got, "@") {
			t.Errorf("%s is listed", got)
		}
		// A version counts at once.
		d := w.open(w.walk("d/f.txt"), unix.O_WRONLY|unix.O_TRUNC)
		w.write(d, 0, "version 3")
		w.close(d)
		check(map[string]string{"@prev": "version 2", "@0s": "version 3", "@90m": "version 1", first: "version 0"})
		time.Sleep(22*time.Hour + 30*time.Minute)
		check(map[string]string{"@yesterday": "version 1", "@1d": "version 1"})
		w.missing(w.walk("d/.versions"), "@first")
	})
}

// A label leads to the version that has it; if it cannot be asked for there is an error, and no guess.
func TestVersionOfALabel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("f", "one")
		w.bucket.PutForeign("f", "two")
		view := w.walk(".versions/f")
		w.missing(view, "@release")
		found := labels{"release": w.versionIDs("f")[0]}
		w.front.labels = found
		if got := w.content(".versions/f/" + w.readlink(w.find(view, "@release"))); got != "one" {
			t.Errorf("the label leads to %q", got)
		}
		w.missing(view, "@other")
		found["bad"] = ""
		if _, s := w.lookup(view, "@bad"); s != fuse.EACCES {
			t.Errorf("labels that may not be read: %v", s)
		}
	})
}

// labels are the ids of versions by their labels; those without an id may not be read.
type labels map[string]string

func (l labels) Labeled(_ context.Context, _ []history.Version, label string) (id string, ok bool, err error) {
	if id, ok = l[label]; ok && id == "" {
		return "", false, store.ErrAccessDenied
	}
	return id, ok, nil
}

// ls of a file with 10,000 versions takes the ten requests of a listing, and then one for each look-up
// of a version, however long that takes; ls of 1,000 names with ten versions takes ten.
func TestRequestsForVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 10_000 {
			w.bucket.PutForeign("d/f", fmt.Sprint(i))
			w.bucket.PutForeign(fmt.Sprintf("many/%d", i%1000), fmt.Sprint(i))
		}
		w.walk("d")
		requests := func(what string, limit int, do func()) {
			t.Helper()
			before := 0
			for _, n := range w.bucket.Requests() {
				before += n
			}
			do()
			after := 0
			for _, n := range w.bucket.Requests() {
				after += n
			}
			if n := after - before; n > limit {
				t.Errorf("%s took %d requests, want %d", what, n, limit)
			}
		}
		ls := func(path string, want int) func() {
			return func() {
				t.Helper()
				if names, _ := w.entriesIn(w.walk(path), 2<<20); len(names) != want {
					t.Errorf("%s lists %d names, want %d", path, len(names), want)
				}
			}
		}
		requests("ls .versions/NAME", 10, ls("d/.versions/f", 10_000))
		all := w.versionsOf("d/", "f")
		view := w.walk("d/.versions/f")
		requests("the look-ups of 100 versions", 100, func() {
			for i := range 100 {
				w.find(view, all[i*97].Name)
				time.Sleep(keepLists / 200)
			}
		})
		w.walk("many")
		requests("ls .versions", 11, ls("many/.versions", 1000))
		if lists, weight := w.front.lists.kept(t); weight > 2*maxListedVersions {
			t.Errorf("%d lists of %d versions are kept", lists, weight)
		}
	})
}
