package fs

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/store"
)

// rootDir is the root, of which a file was looked up.
func (w *world) rootDir(file string) *dirNode {
	w.t.Helper()
	n, ok := w.front.nodeOf(file).(*fileNode)
	if !ok {
		w.t.Fatalf("no node of %q", file)
	}
	return n.parent
}

func (w *world) links(node uint64) int {
	w.t.Helper()
	var out fuse.AttrOut
	w.ok("getattr", w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(node)}, &out))
	return int(out.Nlink)
}

// version is what the bucket has under a key.
func (w *world) version(key string) store.Base {
	w.t.Helper()
	e, err := w.front.tree.Lookup(context.Background(), "", key)
	if err != nil {
		w.t.Fatal(err)
	}
	return e.Info.Base()
}

// told compares what the kernel was told of late changes.
func (w *world) told(what string, want ...string) {
	w.t.Helper()
	synctest.Wait()
	got := w.kernel.heard()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: the kernel was told %q, want %q", what, got, want)
	}
}

// The kernel forgets a name by itself where the call succeeds, and believes in it where it failed.
func TestRemovalInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.open(w.save("a", "text"), unix.O_RDONLY)
		w.ok("unlink", w.unlink(root, "a"))
		if n := w.links(d.node); n != 0 {
			t.Errorf("%d links", n)
		}
		w.release(d)
		w.ok("rmdir", func() fuse.Status { w.mkdir(root, "d"); return w.rmdir(root, "d") }())
		w.save("a", "a")
		w.save("b", "b")
		w.ok("rename", w.rename(root, "a", root, "b"))
		n := w.find(root, "b")
		w.net.On("Delete").Fail(store.Refused, store.ErrAccessDenied)
		if s := w.unlink(root, "b"); s != fuse.EACCES {
			t.Errorf("unlink: %v", s)
		}
		if s := w.rename(root, "b", root, "c"); s != fuse.EACCES {
			t.Errorf("rename: %v", s)
		}
		if w.find(root, "b") != n || w.links(n) != 1 {
			t.Error("what failed took the name")
		}
		w.told("in time")
	})
}

// An unlink that lands after its caller got an error takes the name from its node, once, and the
// kernel is told, in whatever order it comes to that.
func TestLateUnlink(t *testing.T) {
	for _, order := range []string{"error first", "landing first"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			d := w.open(w.save("a", "text"), unix.O_RDONLY)
			r := w.rootDir("a").removing("a", "a")
			if err := w.front.files.Unlink(t.Context(), "a", nil); err != nil {
				t.Fatal(err)
			}
			if order == "error first" {
				r.fail()
				w.told("before it landed")
				r.gone()
			} else {
				r.gone()
				w.told("before the error")
				r.fail()
			}
			w.told(order, fmt.Sprintf("delete 1 %d a", d.node))
			if n := w.links(d.node); n != 0 {
				t.Errorf("%s: %d links", order, n)
			}
			w.missing(root, "a")
			if n := w.save("a", "new"); n == d.node {
				t.Errorf("%s: the next file has the node of the removed one", order)
			}
			w.release(d)
		})
	}
}

// What somebody found under the name meanwhile keeps it, and so does a node that has another name.
func TestLateUnlinkOfAnothersName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		old := w.save("a", "text")
		r := w.rootDir("a").removing("a", "a")
		if err := w.front.files.Unlink(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		r.fail()
		w.bucket.PutForeign("a", "theirs")
		time.Sleep(2 * testTTL)
		theirs := w.find(root, "a")
		r.gone()
		if n := w.find(root, "a"); n != theirs || theirs == old || w.links(theirs) != 1 {
			t.Errorf("their file has node %d, and before node %d; ours had %d", n, theirs, old)
		}

		other := w.save("b", "text")
		r = w.rootDir("b").removing("b", "b")
		w.ok("rename", w.rename(root, "b", root, "c"))
		r.gone()
		if w.find(root, "c") != other || w.links(other) != 1 {
			t.Error("a file lost a name that it got meanwhile")
		}
		r = w.rootDir("c").removing("never looked up", "never looked up")
		r.fail()
		r.gone()
		synctest.Wait()
		if told := w.kernel.heard(); !slices.Contains(told, "entry 1 never looked up") {
			t.Errorf("the kernel was told %q", told)
		}
	})
}

// A directory whose rmdir lands late is one that was removed.
func TestLateRmdir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.save("a", "")
		old := w.mkdir(root, "d")
		r := w.rootDir("a").removing("d", "d/")
		if err := w.front.files.Rmdir(t.Context(), "d/", nil); err != nil {
			t.Fatal(err)
		}
		r.fail()
		r.gone()
		w.told("rmdir", fmt.Sprintf("delete 1 %d d", old))
		if n := w.links(old); n != 0 {
			t.Errorf("%d links", n)
		}
		if n := w.mkdir(root, "d"); n == old {
			t.Error("the next directory has the node of the removed one")
		}

		r = w.rootDir("a").removing("d", "d/")
		r2 := w.rootDir("a").removing("d", "d/")
		r.gone()
		again := w.find(root, "d")
		r2.gone()
		if n := w.find(root, "d"); n != again {
			t.Error("a removal took the name from a directory that somebody found since")
		}
	})
}

// lateMove is a rename of a to b that has landed, and of which the node does not know yet: its
// caller got an error.
func (w *world) lateMove() (m *move, was, now store.Base) {
	w.t.Helper()
	m = w.rootDir("a").moving("a", "a", w.rootDir("a"), "b", "b")
	was = w.version("a")
	if err := w.front.files.Rename(w.t.Context(), "a", "b", false, nil); err != nil {
		w.t.Fatal(err)
	}
	m.fail()
	return m, was, w.version("b")
}

// A rename that lands after its caller got an error gives the new name to the node: its
// descriptors, its pages and its number go on. Whom it replaced has no name any more.
func TestLateRename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		over := w.open(w.save("b", "replaced"), unix.O_RDONLY)
		d := w.open(w.save("a", "text"), unix.O_RDWR)
		w.write(d, 0, "TEXT") // which makes another version of it, before the rename
		m, was, now := w.lateMove()
		between := w.find(root, "b") // by somebody who looks before the node knows
		m.moved(was, now)
		w.told("rename", "entry 1 a", "entry 1 b")
		if n := w.find(root, "b"); n != d.node {
			t.Errorf("b is node %d, and was node %d in between; want %d", n, between, d.node)
		}
		w.missing(root, "a")
		if w.links(over.node) != 0 || w.links(d.node) != 1 {
			t.Errorf("links: %d of what was replaced, %d of what replaced it", w.links(over.node), w.links(d.node))
		}
		w.write(d, 4, " and more")
		w.close(d)
		if got, _ := w.bucket.Content("b"); got != "TEXT and more" {
			t.Errorf("saved as %q", got)
		}
		if got := w.read(over); got != "replaced" {
			t.Errorf("who has the replaced file open reads %q", got)
		}
		w.release(over)

		// The kernel may still believe in the old name. It must not stand for the new one.
		if s := w.unlink(root, "a"); s != fuse.ENOENT {
			t.Errorf("unlink of the old name: %v", s)
		}
		if _, ok := w.bucket.Content("b"); !ok {
			t.Error("unlink of the old name removed the file under the new one")
		}
	})
}

// Pages of a file that was renamed late are kept: its bytes are the same. If they were of an
// older version, they still are.
func TestLateRenameKeepsPages(t *testing.T) {
	for _, older := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := w.save("a", "text")
			synctest.Wait()
			m, was, now := w.lateMove()
			if older {
				m.n.pages = store.Base{ETag: "older"}
			}
			m.moved(was, now)
			d, out, s := w.tryOpen(n, unix.O_RDONLY)
			w.ok("open", s)
			if kept := out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0; kept == older {
				t.Errorf("pages of an older version: %v, kept: %v", older, kept)
			}
			w.release(d)
		})
	}
}

// Names that others have by then stay theirs.
func TestLateRenameOfOthersNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.open(w.save("a", "text"), unix.O_RDONLY)
		synctest.Wait()
		m, was, now := w.lateMove()
		w.bucket.PutForeign("a", "their a")
		w.bucket.PutForeign("b", "their b")
		time.Sleep(2 * testTTL)
		a, b := w.find(root, "a"), w.find(root, "b")
		m.moved(was, now)
		if w.find(root, "a") != a || w.find(root, "b") != b || a == d.node || b == d.node {
			t.Errorf("a is node %d, was %d; b is node %d, was %d; ours is %d", w.find(root, "a"), a, w.find(root, "b"), b, d.node)
		}
		if n := w.links(d.node); n != 0 {
			t.Errorf("what was replaced has %d links", n)
		}
		if got := w.read(d); got != "text" {
			t.Errorf("it reads %q", got)
		}
		w.release(d)
	})
}

// A node that the kernel forgot before the rename landed is not kept for it.
func TestLateRenameOfAForgottenNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.save("a", "text")
		synctest.Wait()
		m, was, now := w.lateMove()
		w.forget(n, 1)
		m.moved(was, now)
		if len(w.front.current) != 0 || len(w.front.numbers) != 0 {
			t.Errorf("%d names and %d numbers are kept of nodes that nobody knows", len(w.front.current), len(w.front.numbers))
		}
		if found := w.find(root, "b"); found == n {
			t.Error("a forgotten node was found")
		}
	})
}

// If another version was renamed than the node shows, the new name is not the node's, in time or
// late: its pages are of another version.
func TestRenameOfAnotherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.save("a", "text")
		synctest.Wait()
		w.bucket.PutForeign("a", "theirs")
		time.Sleep(2 * testTTL)
		m := w.rootDir("a").moving("a", "a", w.rootDir("a"), "b", "b")
		was := w.version("a")
		if err := w.front.files.Rename(t.Context(), "a", "b", false, nil); err != nil {
			t.Fatal(err)
		}
		m.moved(was, w.version("b"))
		w.told("rename", "entry 1 b")
		if _, _, s := w.tryOpen(n, unix.O_RDONLY); s != fuse.Status(unix.ESTALE) {
			t.Errorf("opening the node by its new name: %v", s)
		}
		b := w.find(root, "b")
		if b == n {
			t.Error("the node of the old version has the new name")
		}
		d := w.open(b, unix.O_RDONLY)
		if got := w.read(d); got != "theirs" {
			t.Errorf("b reads %q", got)
		}
		w.release(d)
	})
}
