package fs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// The look-up between the two tries of an open asks the bucket, whyever the first one was answered
// ESTALE, so that the kernel knows what the second one finds. SEMANTICS G2
func TestLookupBetweenTheTries(t *testing.T) {
	for name, first := range map[string]func(w *world) (node uint64){
		"the name has another node": func(w *world) uint64 {
			old := w.find(root, "a")
			w.bucket.PutForeign("a", "newer")
			time.Sleep(2 * testTTL)
			w.find(root, "a")
			return old
		},
		"the node was shown as two versions": func(w *world) uint64 {
			n := w.find(root, "a")
			w.bucket.PutForeign("a", "newer")
			time.Sleep(2 * testTTL)
			w.size(n)
			return n
		},
		"the bucket has another version": func(w *world) uint64 {
			n := w.find(root, "a")
			w.bucket.PutForeign("a", "newer")
			return n
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.bucket.PutForeign("a", "old")
				n := first(w)
				w.bucket.PutForeign("a", "newest")
				if _, _, s := w.tryOpen(n, unix.O_RDONLY); s != stale {
					t.Fatalf("the first try: %v", s)
				}
				d, out, s := w.tryOpen(w.find(root, "a"), unix.O_RDONLY)
				w.ok("the second try", s)
				if got := w.read(d); got != "newest" || out.OpenFlags&fuse.FOPEN_DIRECT_IO != 0 {
					t.Errorf("the second try reads %q; flags %#x", got, out.OpenFlags)
				}
				w.release(d)
			})
		})
	}
}

// The second try shows what the look-up before it found, whose size the kernel has, although another
// version is there by now: a node has one version, also if somebody else has it open.
// SEMANTICS G3
func TestSecondTryShowsWhatWasLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "old")
		n := w.find(root, "a")
		w.bucket.PutForeign("a", "newer")
		if _, _, s := w.tryOpen(n, unix.O_RDONLY); s != stale {
			t.Fatalf("the first try: %v", s)
		}
		n = w.find(root, "a")
		w.bucket.PutForeign("a", "newest of all")
		d, out, s := w.tryOpen(n, unix.O_RDONLY)
		w.ok("the second try", s)
		if got := w.read(d); got != "newer" || w.size(n) != 5 || out.OpenFlags&fuse.FOPEN_DIRECT_IO != 0 {
			t.Errorf("it reads %q; stat shows %d bytes; flags %#x", got, w.size(n), out.OpenFlags)
		}
		w.release(d)
	})
}

// After ESTALE the second try need not come: the look-up may find that the caller may not open
// the file. A later open of that thread reads what is there by then, not what was looked up for
// the first one, if another user makes it or something was changed here in between.
// SEMANTICS G2
func TestSecondTryThatNeverCame(t *testing.T) {
	for name, later := range map[string]func(w *world, n uint64) descriptor{
		"another user": func(w *world, n uint64) descriptor {
			var out fuse.OpenOut
			in := fuse.OpenIn{InHeader: header(n), Flags: unix.O_RDONLY}
			in.Uid++
			s := w.raw.Open(nil, &in, &out)
			if s == stale {
				n = w.find(root, "a")
				in.NodeId = n
				s = w.raw.Open(nil, &in, &out)
			}
			w.ok("open", s)
			return descriptor{n, out.Fh}
		},
		"changed here": func(w *world, n uint64) descriptor {
			change := fuse.SetAttrIn{}
			change.InHeader, change.Valid, change.Mode = header(n), fuse.FATTR_MODE, 0o600
			var attr fuse.AttrOut
			w.ok("chmod", w.raw.SetAttr(nil, &change, &attr))
			w.bucket.PutForeign("a", "newest")
			return w.open(n, unix.O_RDONLY)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.bucket.PutForeign("a", "old")
				n := w.find(root, "a")
				w.bucket.PutForeign("a", "newer")
				if _, _, s := w.tryOpen(n, unix.O_RDONLY); s != stale {
					t.Fatalf("the first try: %v", s)
				}
				n = w.find(root, "a")
				time.Sleep(testTTL / 2)
				w.bucket.PutForeign("a", "newest")
				d := later(w, n)
				if got := w.read(d); got != "newest" {
					t.Errorf("it reads %q", got)
				}
				w.release(d)
			})
		})
	}
}
