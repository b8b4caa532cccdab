package fs

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/store/memstore"
)

const stale = fuse.Status(unix.ESTALE)

// Which of two answers about one inode the kernel has taken, if it asked for both at the same time,
// nobody can tell. So a node that was shown as two versions is opened as neither: the look-up after
// ESTALE gives a new one. SEMANTICS G2
func TestNodeShownAsTwoVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "old")
		old := w.find(root, "a")
		w.bucket.PutForeign("a", "much newer")
		time.Sleep(2 * testTTL)
		if size := w.size(old); size != 10 {
			t.Errorf("stat shows %d bytes", size)
		}
		if _, _, s := w.tryOpen(old, unix.O_RDONLY); s != stale {
			t.Errorf("the node whose size the kernel may not know is opened: %v", s)
		}
		n := w.find(root, "a")
		if n == old {
			t.Fatal("the look-up gives the same node")
		}
		d := w.open(n, unix.O_RDWR)
		if got := w.read(d); got != "much newer" {
			t.Errorf("it reads %q", got)
		}
		w.close(d)
		if again := w.find(root, "a"); again != n {
			t.Errorf("the name is node %d now, want %d", again, n)
		}
	})
}

// The same for an open for write: it has the lease from the first try on, so that nothing changes
// before the second.
func TestNodeShownAsTwoVersionsIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "old")
		old := w.find(root, "a")
		w.bucket.PutForeign("a", "much newer")
		time.Sleep(2 * testTTL)
		w.size(old)
		if _, _, s := w.tryOpen(old, unix.O_RDWR|unix.O_APPEND); s != stale {
			t.Errorf("the node whose size the kernel may not know is opened for write: %v", s)
		}
		if !w.locks.held() {
			t.Error("the lease was not taken, or given back at once")
		}
		n := w.find(root, "a")
		if n == old {
			t.Fatal("the look-up gives the same node")
		}
		w.close(w.open(n, unix.O_RDWR|unix.O_APPEND))
	})
}

// The second try of an open that finds yet another version shows that one under the same node.
// Whoever opens the node later does not trust what the kernel has of it, even if the first
// version is back.
func TestSecondTryShowsAnotherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, memstore.Options{})
		w.bucket.PutForeign("a", "old")
		n := w.find(root, "a")
		w.bucket.PutForeign("a", "much newer")
		if _, _, s := w.tryOpen(n, unix.O_RDONLY); s != stale {
			t.Fatalf("the first try: %v", s)
		}
		d, out, s := w.tryOpen(n, unix.O_RDONLY)
		w.ok("the second try", s)
		if out.OpenFlags&fuse.FOPEN_DIRECT_IO == 0 {
			t.Error("it shares the kernel's pages")
		}
		if got := w.read(d); got != "much newer" || w.size(n) != 10 {
			t.Errorf("it reads %q; stat shows %d bytes", got, w.size(n))
		}
		change := fuse.SetAttrIn{}
		change.InHeader, change.Valid, change.Mode = header(n), fuse.FATTR_MODE, 0o600
		var attr fuse.AttrOut
		w.ok("fchmod", w.raw.SetAttr(nil, &change, &attr)) // of what the descriptor shows
		w.release(d)
		w.bucket.PutForeign("a", "old")
		if _, _, s := w.tryOpen(n, unix.O_RDONLY); s != stale {
			t.Errorf("the kernel's size is trusted: %v", s)
		}
		if w.find(root, "a") == n {
			t.Error("the look-up gives the same node")
		}
	})
}

// Who opens a descriptor's file by /proc/self/fd is answered ESTALE without a look-up after it. Then
// the second try finds the same node, of which the kernel may have anything.
func TestSecondTryWithoutALookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, memstore.Options{})
		w.bucket.PutForeign("a", "old")
		n := w.find(root, "a")
		d := w.open(n, unix.O_RDONLY)
		w.read(d)
		w.release(d)
		for _, text := range []string{"much newer", "old"} {
			w.bucket.PutForeign("a", text)
			w.front.tree.Forget("a")
			if size := w.size(n); size != len(text) {
				t.Errorf("stat shows %d bytes", size)
			}
		}
		if _, _, s := w.tryOpen(n, unix.O_RDONLY); s != stale {
			t.Fatalf("the first try: %v", s)
		}
		d, out, s := w.tryOpen(n, unix.O_RDONLY)
		w.ok("the second try", s)
		if got := w.read(d); got != "old" || out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0 {
			t.Errorf("it reads %q; flags %#x", got, out.OpenFlags)
		}
		w.release(d)
	})
}

// An open that makes the kernel drop its pages makes it ask for the size too. That comes before the
// reply, and after the descriptor is there that gives the size.
func TestOpenDropsTheSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "text")
		n := w.find(root, "a")
		drop := fmt.Sprintf("inode %d -1 0", n)
		d := w.open(n, unix.O_RDONLY)
		if heard := w.kernel.heard(); !slices.Contains(heard, drop) {
			t.Errorf("the kernel was told %q, want %q", heard, drop)
		}
		w.read(d)
		again, out, s := w.tryOpen(n, unix.O_RDONLY)
		w.ok("open", s)
		if heard := w.kernel.heard(); out.OpenFlags&fuse.FOPEN_KEEP_CACHE == 0 || len(heard) > 0 {
			t.Errorf("the same version again: flags %#x, and the kernel was told %q", out.OpenFlags, heard)
		}
		w.release(again)
		w.release(d)
	})
}

// The kernel drops its pages when it gets the reply to an open, which another open may overtake.
// So nobody is let keep them before the first descriptor was used.
func TestOpenBeforeThePagesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "text")
		n := w.find(root, "a")
		keeps := func() bool {
			d, out, s := w.tryOpen(n, unix.O_RDONLY)
			w.ok("open", s)
			t.Cleanup(func() { w.release(d) })
			return out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0
		}
		d := w.open(n, unix.O_RDONLY)
		if keeps() {
			t.Error("pages are kept that the first open may not have dropped yet")
		}
		w.read(d)
		if !keeps() {
			t.Error("pages are dropped that are of this version alone")
		}
		w.release(d)
	})
}
