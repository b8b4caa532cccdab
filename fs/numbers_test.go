package fs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/store"
)

// number is st_ino of a name; it is to be what readdir shows too.
func (w *world) number(name string) uint64 {
	w.t.Helper()
	out, s := w.lookup(root, name)
	w.ok("lookup "+name, s)
	var a fuse.AttrOut
	w.ok("getattr", w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(out.NodeId)}, &a))
	if _, listed := w.entries(root); a.Ino != out.Ino || listed[name] != out.Ino {
		w.t.Errorf("%s: LOOKUP gives number %d, GETATTR %d, readdir %d", name, out.Ino, a.Ino, listed[name])
	}
	return out.Ino
}

// A file keeps its number when it is renamed and written, for this mount, the next one and on
// other hosts, in whatever order they look. A file that is made where it was has another one,
// which it keeps as well; so has a copy. SEMANTICS Attributes and times
func TestNumberStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		symlink := func(target, name string) {
			t.Helper()
			var out fuse.EntryOut
			h := header(root)
			w.ok("symlink", w.raw.Symlink(nil, &h, target, name, &out))
		}
		want := make(map[string]uint64)
		check := func(w *world, names ...string) {
			t.Helper()
			seen := make(map[uint64]string)
			for _, name := range names {
				n := w.number(name)
				if n != want[name] || seen[n] != "" {
					t.Errorf("%s has number %d, want %d; %q has it too", name, n, want[name], seen[n])
				}
				seen[n] = name
			}
		}

		w.save("a", "first")
		want["b"] = w.number("a")
		w.ok("rename", w.rename(root, "a", root, "b"))
		w.save("a", "second")
		want["a"] = w.number("a")
		check(w, "a", "b")
		d := w.open(w.find(root, "b"), unix.O_WRONLY)
		w.write(d, 0, "FIRST")
		check(w, "a", "b") // b is live
		w.close(d)
		w.setattr(descriptor{node: w.find(root, "b")}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600})

		symlink("x", "l")
		want["m"] = w.number("l")
		w.ok("rename", w.rename(root, "l", root, "m"))
		symlink("y", "l")
		want["n"] = w.number("l")
		w.ok("rename", w.rename(root, "l", root, "n"))
		check(w, "m", "n")

		w.bucket.PutForeign("e", "x")
		time.Sleep(2 * testTTL)
		want["f"] = w.number("e")
		w.ok("rename", w.rename(root, "e", root, "f"))

		all := []string{"a", "b", "f", "m", "n"}
		check(w, all...)
		for _, order := range [][]string{all, {"n", "m", "f", "b", "a"}} {
			time.Sleep(2 * testTTL)
			check(newWorldOn(t, w.bucket), order...)
		}
	})
}

// readdir shows the numbers of the directory itself and of the one that it is in.
func TestNumbersOfDots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.mkdir(root, "d")
		s := w.mkdir(d, "s")
		dots := func(node uint64) [2]uint64 {
			_, numbers := w.entries(node)
			return [2]uint64{numbers["."], numbers[".."]}
		}
		for node, want := range map[uint64][2]uint64{root: {rootIno, rootIno}, d: {w.attr(d).Ino, rootIno}, s: {w.attr(s).Ino, w.attr(d).Ino}} {
			if got := dots(node); got != want {
				t.Errorf("node %d: %d, want %d", node, got, want)
			}
		}
	})
}

// A copy of an object under another key has the number of that key, and an object that is moved
// back to the name that it had at first has that of its key again.
func TestNumberOfACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.save("a", "x")
		first := w.number("a")
		w.ok("rename", w.rename(root, "a", root, "b"))
		client := store.New(w.bucket, store.Options{})
		moved, err := client.Head(t.Context(), "b", "")
		if err != nil {
			t.Fatal(err)
		}
		copied := store.Write{Key: "c", ID: store.NewWriteID(), Props: moved.Props}
		if _, err := client.Copy(t.Context(), store.Unleased("a test"), copied, store.Source{Key: "b", Base: moved.Base(), Size: moved.Size}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * testTTL)
		if n := w.number("c"); n != file.Number("c", 0) {
			t.Errorf("the copy has number %d", n)
		}
		w.ok("rename", w.rename(root, "b", root, "a"))
		back, err := client.Head(t.Context(), "a", "")
		if n := w.number("a"); err != nil || n != first || back.Props.Meta["latchfs-inode"] != "" {
			t.Errorf("moved back it has number %d, want %d; metadata %v: %v", n, first, back.Props.Meta, err)
		}
	})
}

// Two files that claim one number, because others made them so, have two here.
func TestNumberThatTwoClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
			w := newWorld(t)
			w.save("a", "x")
			w.ok("rename", w.rename(root, "a", root, "b"))
			w.bucket.PutForeign("a", "another")
			w = newWorldOn(t, w.bucket)
			if first, second := w.number(order[0]), w.number(order[1]); first == second || first != file.Number("a", 0) {
				t.Errorf("numbers %d of %s and %d of %s", first, order[0], second, order[1])
			}
		}
	})
}
