package fs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/store/faultstore"
)

// A directory's times change when its entries do, ours at once and those of others within the
// TTL, and neither goes back or changes by itself. So it is with the root, which was read before.
// SEMANTICS Attributes and times
func TestTimesOfADirectory(t *testing.T) {
	for _, kind := range []string{"made here", "found", "without a marker", "the root"} {
		for _, slow := range []time.Duration{0, 600 * time.Millisecond} {
			t.Run(fmt.Sprint(kind, ",slow=", slow), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(700 * time.Millisecond)
					w := newWorld(t)
					w.net.Hook(func(op, key string, _ int) (f faultstore.Fault) {
						if op == "Put" || op == "Copy" {
							time.Sleep(slow) // into the next second
						}
						return f
					})
					w.timesOfADirectory(kind)
				})
			})
		}
	}
}

func (w *world) timesOfADirectory(kind string) {
	name, prefix := "d", "d/"
	switch kind {
	case "made here":
		w.mkdir(root, "d")
	case "found":
		w.bucket.PutForeign("d/", "")
	case "without a marker":
		w.bucket.PutForeign("d/first", "x")
	case "the root":
		name, prefix = "", ""
		w.list(root)
	}
	dir := func() uint64 {
		if name == "" {
			return root
		}
		return w.find(root, name)
	}
	c := clock{w: w}
	c.last = c.look(name, dir())
	stays := func(what string) { w.t.Helper(); c.stays(what, name, dir()) }
	changes := func(what string) { w.t.Helper(); c.changes(what, name, dir()) }
	stays("nothing")

	// Ours.
	d := w.create(dir(), "f")
	changes("create")
	w.write(d, 0, "x")
	w.close(d)
	stays("write and close")
	file := w.find(dir(), "f")
	w.setattr(descriptor{node: file}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600})
	stays("chmod of a file in it")
	w.mkdir(dir(), "s")
	changes("mkdir")
	w.create(w.find(dir(), "s"), "below")
	stays("a file further below")
	w.ok("rename", w.rename(dir(), "f", dir(), "g"))
	changes("rename")
	w.ok("rename", w.rename(dir(), "g", w.find(dir(), "s"), "f"))
	changes("rename to elsewhere")
	w.ok("rename", w.rename(w.find(dir(), "s"), "f", dir(), "f"))
	changes("rename from elsewhere")
	w.ok("unlink", w.unlink(dir(), "f"))
	changes("unlink")
	w.mkdir(dir(), "t")
	changes("mkdir")
	w.ok("rmdir", w.rmdir(dir(), "t"))
	changes("rmdir")
	var out fuse.EntryOut
	h := header(dir())
	w.ok("symlink", w.raw.Symlink(nil, &h, "x", "l", &out))
	changes("symlink")
	if s := w.unlink(dir(), "none"); s != fuse.ENOENT {
		w.t.Errorf("unlink: %v", s)
	}
	if s := w.rmdir(dir(), "s"); s != fuse.Status(unix.ENOTEMPTY) {
		w.t.Errorf("rmdir: %v", s)
	}
	stays("what failed")

	// Its own attributes.
	if name != "" {
		mtime := c.last.m
		w.setattr(descriptor{node: dir()}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o700})
		changes("chmod")
		if c.last.m != mtime {
			w.t.Errorf("chmod changed mtime from %v to %v", mtime, c.last.m)
		}
		c.last.m = time.Time{}
		w.setattr(descriptor{node: dir()}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME, Mtime: 1e8, Mtimensec: 7})
		changes("utimens")
		if want := time.Unix(1e8, 7); !c.last.m.Equal(want) {
			w.t.Errorf("mtime was set to %v and is %v", want, c.last.m)
		}
	}

	// Theirs.
	for _, tt := range []struct {
		what string
		do   func()
	}{
		{"their file", func() { w.bucket.PutForeign(prefix+"theirs", "x") }},
		{"their removal", func() { w.bucket.DeleteForeign(prefix + "theirs") }},
	} {
		tt.do()
		time.Sleep(2 * testTTL)
		changes(tt.what)
	}
}

// When the bucket does not answer the root shows what it showed, and soon.
func TestTimesOfTheRootInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.list(root)
		c := clock{w: w}
		c.last = c.look("", root)
		w.net.On("List").Hang()
		began := time.Now()
		c.stays("an outage", "", root)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("three looks took %v", took)
		}
		w.net.Heal()
	})
}

// Who walks through the root asks the bucket for nothing, if nobody has read it or it is large,
// and else for a page, which saves as much at the look-up of what is in it.
func TestRequestsForTheRoot(t *testing.T) {
	for _, tt := range []struct {
		name        string
		read, large bool
		want        string
	}{
		{"not read", false, false, "List 0, then List 1, Head 1"},
		{"read", true, false, "List 1, then List 0, Head 1"},
		{"large", true, true, "List 0, then List 1, Head 1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.bucket.PutForeign("f", "x")
			for i := range 1000 {
				if tt.large {
					w.bucket.PutForeign(fmt.Sprintf("g%d", i), "x")
				}
			}
			if tt.read {
				w.list(root)
			}
			for range 3 {
				time.Sleep(2 * testTTL)
				lists, heads := w.bucket.Count("List"), w.bucket.Count("Head")
				w.attr(root)
				then := w.bucket.Count("List")
				w.find(root, "f")
				if got := fmt.Sprintf("List %d, then List %d, Head %d", then-lists, w.bucket.Count("List")-then, w.bucket.Count("Head")-heads); got != tt.want {
					t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
				}
			}
		})
	}
}

// attr is what GETATTR tells of a node.
func (w *world) attr(node uint64) fuse.Attr {
	w.t.Helper()
	var a fuse.AttrOut
	w.ok("getattr", w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(node)}, &a))
	return a.Attr
}
