package fs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Likewise a change by a path: its second try is about the name, whatever that is by then.
func TestSecondTryOfAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		chmod := func(n uint64, mode uint32) fuse.Status {
			in := fuse.SetAttrIn{}
			in.InHeader, in.Valid, in.Mode = header(n), fuse.FATTR_MODE, mode
			return w.raw.SetAttr(nil, &in, &fuse.AttrOut{})
		}
		w.bucket.PutForeign("a", "old")
		n := w.find(root, "a")
		w.bucket.PutForeign("a", "newer")
		time.Sleep(2 * testTTL)
		w.find(root, "a")
		if s := chmod(n, 0o600); s != stale {
			t.Fatalf("the first try: %v", s)
		}
		n = w.find(root, "a")
		w.bucket.PutForeign("a", "newest")
		time.Sleep(2 * testTTL)
		w.find(root, "a")
		w.ok("the second try", chmod(n, 0o600))
		if out, s := w.lookup(root, "a"); s != fuse.OK || out.Mode&0o7777 != 0o600 || out.Size != 6 {
			t.Errorf("mode %o, %d bytes, %v", out.Mode, out.Size, s)
		}
		w.bucket.PutForeign("b", "text")
		n = w.find(root, "b")
		w.bucket.DeleteForeign("b")
		if s := chmod(n, 0o640); s != stale {
			t.Errorf("what is gone: %v", s)
		}
		if s := chmod(n, 0o640); s != fuse.ENOENT {
			t.Errorf("what is gone, at the second try: %v", s)
		}
	})
}

// So it is if other processes read the versions that the call finds. A descriptor's change stays with
// its version all the same.
func TestSecondTryOfAChangeBesideReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		chmod := func(n uint64, mode uint32) fuse.Status {
			in := fuse.SetAttrIn{}
			in.InHeader, in.Valid, in.Mode = header(n), fuse.FATTR_MODE, mode
			return w.raw.SetAttr(nil, &in, &fuse.AttrOut{})
		}
		read := func(n uint64) descriptor {
			in, out := fuse.OpenIn{InHeader: byAnother(n), Flags: unix.O_RDONLY}, fuse.OpenOut{}
			w.ok("open", w.raw.Open(nil, &in, &out))
			return descriptor{n, out.Fh}
		}
		w.bucket.PutForeign("a", "old")
		old := w.find(root, "a")
		readers := []descriptor{read(old)}
		w.bucket.PutForeign("a", "newer")
		if s := chmod(old, 0o600); s != stale {
			t.Fatalf("the first try: %v", s)
		}
		n := w.find(root, "a")
		readers = append(readers, read(n))
		w.bucket.PutForeign("a", "newest")
		time.Sleep(2 * time.Second) // the lease of the first try is given back
		w.ok("the second try", chmod(n, 0o600))
		if out, s := w.lookup(root, "a"); s != fuse.OK || out.Mode&0o7777 != 0o600 || out.Size != 6 {
			t.Errorf("mode %o, %d bytes, %v", out.Mode, out.Size, s)
		}
		for range 2 { // fchmod, which the kernel does not repeat; in between the program asks for the name
			if s := chmod(old, 0o644); s != stale {
				t.Errorf("fchmod of a version that was replaced: %v", s)
			}
			w.find(root, "a")
		}
		for _, d := range readers {
			w.release(d)
		}
	})
}

// An open may begin with a request for attributes that is answered ESTALE; Linux repeats the whole
// call, and then the open must not get that answer too.
func TestSecondTryAfterStaleAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("a", "old")
		n := w.find(root, "a")
		w.bucket.DeleteForeign("a")
		time.Sleep(2 * testTTL)
		if s := w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(n)}, &fuse.AttrOut{}); s != stale {
			t.Fatalf("getattr of what is gone: %v", s)
		}
		w.bucket.PutForeign("a", "newer")
		time.Sleep(2 * testTTL)
		n = w.find(root, "a")
		w.bucket.PutForeign("a", "newest")
		d, _, s := w.tryOpen(n, unix.O_RDONLY)
		w.ok("open", s)
		if got := w.read(d); got != "newest" {
			t.Errorf("it reads %q", got)
		}
		w.release(d)
	})
}
