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

// Between the two tries of an open another process may look the name up and find yet another
// version: then the node that the second try comes with has lost its name. A second ESTALE would
// reach the program. SEMANTICS errno table: ESTALE once
func TestSecondTryOfANodeThatLostItsName(t *testing.T) {
	another := func(w *world) {
		w.bucket.PutForeign("a", "newest")
		time.Sleep(2 * testTTL)
	}
	for name, c := range map[string]struct {
		flags   uint32
		between func(w *world)
		want    string
	}{
		"append": {unix.O_APPEND, another, "newest+ours"},
		"cut":    {unix.O_TRUNC, another, "+ours"},
		"made again here": {unix.O_APPEND, func(w *world) {
			w.ok("unlink", w.unlink(root, "a"))
			w.save("a", "newest")
		}, "newest+ours"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				n, current := w.secondTry(unix.O_RDWR, c.between)
				d, _, s := w.tryOpen(n, unix.O_RDWR|c.flags)
				w.ok("the second try", s)
				w.write(d, 0, "+ours")
				var stat fuse.AttrOut
				w.ok("fstat", w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(n)}, &stat))
				if got := w.find(root, "a"); got != n || int(stat.Size) != len(c.want) || stat.Nlink != 1 {
					t.Errorf("the name is node %d, want %d, which has %d bytes and %d links", got, n, stat.Size, stat.Nlink)
				}
				if _, _, s := w.tryOpen(current, unix.O_RDONLY); s != stale {
					t.Errorf("the node that has the name no more is opened: %v", s)
				}
				w.close(d)
				d = w.open(w.find(root, "a"), unix.O_RDONLY)
				if got := w.read(d); got != c.want {
					t.Errorf("the file is %q, want %q", got, c.want)
				}
				w.release(d)
			})
		})
	}
}

// The same if that other process has the file open: then two nodes show it. What is written through
// one of them the kernel has to read again for the other, and no file that is made later gets their
// number.
func TestSecondTryBesideAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const flags = unix.O_RDWR | unix.O_APPEND
		n, current := w.secondTry(flags, func(w *world) {
			w.bucket.PutForeign("a", "newest")
			time.Sleep(2 * testTTL)
		})
		in, out := fuse.OpenIn{InHeader: byAnother(current), Flags: flags}, fuse.OpenOut{}
		w.ok("open", w.raw.Open(nil, &in, &out))
		other := descriptor{current, out.Fh}
		w.write(other, 0, "+theirs")
		d, opened, s := w.tryOpen(n, flags)
		w.ok("the second try", s)
		if opened.OpenFlags&fuse.FOPEN_DIRECT_IO == 0 {
			t.Error("it shares the kernel's pages")
		}
		w.kernel.heard()
		w.write(d, 0, "+ours")
		if told := w.kernel.heard(); !slices.Contains(told, fmt.Sprintf("inode %d 0 0", current)) {
			t.Errorf("the kernel was told %q", told)
		}
		w.kernel.heard()
		cut := fuse.SetAttrIn{}
		cut.InHeader, cut.Valid, cut.Fh, cut.Size = header(n), fuse.FATTR_SIZE|fuse.FATTR_FH, d.fh, 14
		w.ok("ftruncate", w.raw.SetAttr(nil, &cut, &fuse.AttrOut{}))
		if told := w.kernel.heard(); !slices.Contains(told, fmt.Sprintf("inode %d 0 0", current)) {
			t.Errorf("the kernel was told %q of ftruncate", told)
		}
		if _, out, s := w.tryOpen(n, unix.O_RDONLY); s != stale {
			t.Errorf("the node that does not have the name is opened: %v, flags %#x", s, out.OpenFlags)
		}
		if got := w.read(other); got != "newest+theirs+" {
			t.Errorf("the other process reads %q", got)
		}
		w.close(other)
		w.ok("unlink", w.unlink(root, "a"))
		made := w.create(root, "a")
		if w.inode(made.node) == w.inode(n) {
			t.Error("a new file has the number of one that is open")
		}
		w.close(made)
		w.release(d)
	})
}

// secondTry tries to open a file, and gives the node that was looked up for the second try, and the
// one that has the name after what happens in between.
func (w *world) secondTry(flags uint32, between func(w *world)) (n, current uint64) {
	w.t.Helper()
	w.bucket.PutForeign("a", "old")
	n = w.find(root, "a")
	w.bucket.PutForeign("a", "newer")
	if _, _, s := w.tryOpen(n, flags); s != stale {
		w.t.Fatalf("the first try: %v", s)
	}
	n = w.find(root, "a")
	between(w)
	other := byAnother(root)
	var out fuse.EntryOut
	w.ok("lookup", w.raw.Lookup(nil, &other, "a", &out))
	if out.NodeId == n {
		w.t.Fatal("the other look-up gives the same node")
	}
	return n, out.NodeId
}

// byAnother is the header of a request of another process.
func byAnother(node uint64) fuse.InHeader {
	h := header(node)
	h.Pid++
	return h
}

// Who opens a descriptor's file by /proc/self/fd gets no other file, although another one has the
// name by now.
func TestSecondTryOfARemovedFile(t *testing.T) {
	for _, flags := range []uint32{unix.O_RDONLY, unix.O_RDWR} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			d := w.open(w.save("a", "old"), unix.O_RDONLY)
			w.ok("unlink", w.unlink(root, "a"))
			w.save("a", "another")
			for range 2 {
				if _, _, s := w.tryOpen(d.node, flags); s != stale {
					t.Errorf("open with flags %#o: %v", flags, s)
				}
			}
			w.release(d)
		})
	}
}

// A node beside another one that shows the same file shares no pages with the kernel, also if the
// version is the one that the kernel knows of it.
func TestSecondTryBesideAnotherNodeOfTheSameVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, memstore.Options{})
		w.bucket.PutForeign("a", "old")
		n := w.find(root, "a")
		w.bucket.PutForeign("a", "newer")
		if _, _, s := w.tryOpen(n, unix.O_RDWR); s != stale {
			t.Fatalf("the first try: %v", s)
		}
		n = w.find(root, "a")
		w.bucket.PutForeign("a", "newest")
		w.front.tree.Forget("a")
		look, found := byAnother(root), fuse.EntryOut{}
		w.ok("lookup", w.raw.Lookup(nil, &look, "a", &found))
		w.bucket.PutForeign("a", "newer")
		in, out := fuse.OpenIn{InHeader: byAnother(found.NodeId), Flags: unix.O_WRONLY | unix.O_TRUNC}, fuse.OpenOut{}
		w.ok("open", w.raw.Open(nil, &in, &out))
		d, opened, s := w.tryOpen(n, unix.O_RDWR)
		w.ok("the second try", s)
		if opened.OpenFlags&fuse.FOPEN_DIRECT_IO == 0 {
			t.Error("it shares the kernel's pages")
		}
		w.close(descriptor{found.NodeId, out.Fh})
		w.close(d)
	})
}
