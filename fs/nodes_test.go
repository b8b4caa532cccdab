package fs

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// LOCKS P3, SEMANTICS G2: as long as the lease of a file that is open for write here is not
// proved valid, look-ups show what the bucket has, under a node of its own if that is another
// version. Descriptors that are open go on with theirs.
func TestUnprovedLeaseShowsTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "base")
		old := w.find(root, "a")
		d := w.open(old, unix.O_RDWR)
		w.write(d, 4, " and ours")
		w.locks.expire(true)
		time.Sleep(2 * testTTL)

		// Nothing has changed in the bucket: who looks follows the writer.
		out, s := w.lookup(root, "a")
		w.ok("lookup", s)
		if out.NodeId != old || out.Size != 13 {
			t.Errorf("node %d of %d bytes, want %d of 13", out.NodeId, out.Size, old)
		}

		w.bucket.PutForeign("a", "theirs")
		time.Sleep(2 * testTTL)
		out, s = w.lookup(root, "a")
		w.ok("lookup", s)
		if out.NodeId == old || out.Size != 6 {
			t.Errorf("node %d of %d bytes, want another than %d of 6", out.NodeId, out.Size, old)
		}
		if n := w.size(old); n != 13 {
			t.Errorf("fstat of the open descriptor: %d bytes", n)
		}
		if again := w.find(root, "a"); again != out.NodeId {
			t.Errorf("the next look-up gives node %d, not %d", again, out.NodeId)
		}
		if _, _, s := w.tryOpen(old, unix.O_RDONLY); s != fuse.Status(unix.ESTALE) {
			t.Errorf("opening the old node: %v", s)
		}
		list := w.openDir(root)
		w.readDir(list, 0, 1<<16, true)
		w.releaseDir(list)
		if again := w.find(root, "a"); again != out.NodeId {
			t.Errorf("after a listing the name is node %d, not %d", again, out.NodeId)
		}
		w.release(d)
	})
}

// A file that was made here and is not in the bucket yet is there as long as nothing else is,
// also without a proved lease.
func TestUnprovedLeaseOfANewFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.create(root, "a")
		w.write(d, 0, "ours")
		w.locks.expire(true)
		time.Sleep(2 * testTTL)
		if n := w.find(root, "a"); n != d.node {
			t.Errorf("node %d, want %d", n, d.node)
		}
		if got := w.list(root); got != "a" {
			t.Errorf("the directory shows %q", got)
		}
		w.bucket.PutForeign("a", "theirs")
		time.Sleep(2 * testTTL)
		if n := w.find(root, "a"); n == d.node {
			t.Error("the node of ours shows theirs")
		}
		w.release(d)
	})
}

// A file that is made where another one was gets a node of its own, and with it pages of its own,
// as long as somebody here reads the other one. SEMANTICS G3
func TestMadeAgainUnderAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "old")
		reader := w.open(w.find(root, "a"), unix.O_RDONLY)
		w.bucket.DeleteForeign("a")
		time.Sleep(2 * testTTL)
		w.missing(root, "a")
		d := w.create(root, "a")
		if d.node == reader.node {
			t.Error("the new file has the node of the old one")
		}
		w.write(d, 0, "new")
		if n := w.find(root, "a"); n != d.node {
			t.Errorf("the name is node %d, want %d", n, d.node)
		}
		if got := w.read(reader); got != "old" {
			t.Errorf("the reader reads %q", got)
		}
		w.close(d)
		w.release(reader)
	})
}

// An open that cuts a file to nothing does not care for the version, unless somebody here still
// reads the one that the kernel knows: then it would share the pages.
func TestTruncatedUnderAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "old")
		n := w.find(root, "a")
		w.bucket.PutForeign("a", "newer")
		d := w.open(n, unix.O_WRONLY|unix.O_TRUNC)
		w.close(d)
		synctest.Wait() // for the end of what it began

		reader := w.open(w.find(root, "a"), unix.O_RDONLY)
		w.bucket.PutForeign("a", "another")
		if _, _, s := w.tryOpen(reader.node, unix.O_WRONLY|unix.O_TRUNC); s != fuse.Status(unix.ESTALE) {
			t.Fatalf("open: %v", s)
		}
		d = w.open(w.find(root, "a"), unix.O_WRONLY|unix.O_TRUNC) // as Linux does by itself
		if d.node == reader.node {
			t.Error("writer and reader share the pages of two versions")
		}
		w.close(d)
		w.release(reader)
	})
}

// A node that was opened while its attributes were asked for has those of what its descriptor
// shows.
func TestOpenedDuringGetattr(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "old")
		n := w.find(root, "a")
		time.Sleep(2 * testTTL)
		var d descriptor
		opening := false
		w.net.Hook(func(op, key string, _ int) (f faultstore.Fault) {
			if op == "Head" && key == "a" && !opening {
				opening = true
				d = w.open(n, unix.O_RDONLY)
				w.bucket.PutForeign("a", "much newer")
			}
			return f
		})
		if size := w.size(n); size != 3 || !opening {
			t.Errorf("%d bytes, want those of the descriptor", size)
		}
		w.net.Hook(nil)
		if _, _, s := w.tryOpen(n, unix.O_RDONLY); s != fuse.Status(unix.ESTALE) {
			t.Errorf("another version is opened beside the first, with the same pages: %v", s)
		}
		w.release(d)
	})
}

// What was listed before a file changed here takes the name from nobody, and gives no answer.
func TestOldListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, name := range []string{"a", "b", "c"} {
			w.save(name, "old")
		}
		c := w.open(w.find(root, "c"), unix.O_RDWR)
		list := w.openDir(root)
		w.readDir(list, 0, 200, false) // the whole directory is listed now
		w.write(c, 0, "longer than when it was listed")
		a, b := w.open(w.find(root, "a"), unix.O_RDWR), w.open(w.find(root, "b"), unix.O_RDWR)
		w.write(a, 0, "not saved")
		w.write(b, 0, "saved by now")
		w.close(b)
		synctest.Wait() // b is not live any more
		w.readDir(list, 2, 1<<16, true)
		w.releaseDir(list)
		for name, n := range map[string]uint64{"a": a.node, "b": b.node} {
			if got := w.find(root, name); got != n {
				t.Errorf("%s is node %d after an old listing, want %d", name, got, n)
			}
		}
		if size := w.front.nodeOf("c").(*fileNode).attr.Size; size != 30 {
			t.Errorf("the kernel was told of %d bytes of a file that is being written", size)
		}
		w.close(a)
		w.close(c)
	})
}

// A listing does not bring back what was removed here while it was read.
func TestRemovedWhileListed(t *testing.T) {
	for key, remove := range map[string]func(*world) fuse.Status{
		"a":  func(w *world) fuse.Status { return w.unlink(root, "a") },
		"b":  func(w *world) fuse.Status { return w.rename(root, "b", root, "e") },
		"d/": func(w *world) fuse.Status { return w.rmdir(root, "d") },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			for _, name := range []string{"a", "b", "c"} {
				w.save(name, "text")
			}
			w.mkdir(root, "d")
			list := w.openDir(root)
			w.readDir(list, 0, 300, false) // the whole directory is listed now
			w.ok("removing "+key, remove(w))
			w.readDir(list, 2, 1<<16, true)
			w.releaseDir(list)
			if w.front.nodeOf(key) != nil {
				t.Errorf("the kernel was told that %q is there", key)
			}
			if w.front.nodeOf("c") == nil {
				t.Error("c has no node any more")
			}
		})
	}
}

// The kernel keeps its pages over an open only if they are of the version that is opened, and of
// nothing that was written and has gone elsewhere.
func TestPagesOfWhatWasNotSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		keeps := func(n uint64) bool {
			d, out, s := w.tryOpen(n, unix.O_RDONLY)
			w.ok("open", s)
			w.release(d)
			return out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0
		}
		n := w.save("a", "text")
		if !keeps(n) {
			t.Error("pages of what was saved are dropped")
		}
		d := w.open(n, unix.O_RDWR)
		w.write(d, 0, "more")
		if !keeps(n) {
			t.Error("pages of what is being written are dropped")
		}
		w.close(d)
		if !keeps(n) {
			t.Error("pages of what was saved again are dropped")
		}

		d = w.open(n, unix.O_RDWR)
		w.write(d, 0, "gone elsewhere")
		w.net.On("Put").Fail(store.Refused, store.ErrAccessDenied)
		w.release(d) // without a close that could tell the node
		synctest.Wait()
		if keeps(n) {
			t.Error("pages of what the bucket refused are shown as what is in it")
		}
		if !keeps(n) {
			t.Error("pages of what is in the bucket are dropped")
		}
	})
}

// A commit of ours that landed before we knew of it, without a proved lease, is another version
// to who looks, with a node of its own. That node's pages are kept only as long as nothing is
// changed through the other one.
func TestOurOwnVersionUnderAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "base")
		d := w.open(w.find(root, "a"), unix.O_RDWR)
		w.write(d, 0, "ours")
		var landed, asked atomic.Bool
		w.net.Hook(func(op, key string, _ int) (f faultstore.Fault) {
			switch {
			case op == "Put" && !landed.Swap(true):
				f.LoseReply = true
			case op == "Head" && landed.Load() && !asked.Swap(true): // by who wants to know what became of it
				f.Delay = 10 * time.Second
			}
			return f
		})
		synced := make(chan fuse.Status, 1)
		go func() { synced <- w.raw.Fsync(nil, &fuse.FsyncIn{InHeader: header(d.node), Fh: d.fh}) }()
		time.Sleep(2 * testTTL)
		w.locks.expire(true)
		other := w.find(root, "a")
		if other == d.node {
			t.Fatal("there is only one node")
		}
		w.locks.expire(false)
		w.ok("fsync", <-synced)
		for _, text := range []string{"ours", "OURS", "Ours"} {
			w.write(d, 0, text) // at first what it is already
			if text == "ours" {
				w.ok("fsync", w.raw.Fsync(nil, &fuse.FsyncIn{InHeader: header(d.node), Fh: d.fh}))
				other = w.find(root, "a")
			}
			x, out, s := w.tryOpen(other, unix.O_RDONLY)
			w.ok("open", s)
			if got := w.read(x); got != text || out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0 {
				t.Errorf("it reads %q, want %q; flags %#x", got, text, out.OpenFlags)
			}
			w.release(x)
		}
		w.close(d)
	})
}
