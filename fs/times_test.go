package fs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// times are mtime and ctime as the kernel is told.
type times struct{ m, c time.Time }

func (a times) String() string {
	const form = "05.000000000"
	return fmt.Sprintf("mtime %s, ctime %s", a.m.UTC().Format(form), a.c.UTC().Format(form))
}

func timesOf(a fuse.Attr) times {
	return times{time.Unix(int64(a.Mtime), int64(a.Mtimensec)), time.Unix(int64(a.Ctime), int64(a.Ctimensec))}
}

// A clock watches the times of a name through everything that may happen to it.
type clock struct {
	w    *world
	last times
}

// look asks in every way for the times, each of which has to give the same; of a name, or of a
// node that has none.
func (c *clock) look(name string, node uint64) times {
	c.w.t.Helper()
	var seen []times
	if name != "" {
		list := c.w.openDir(root)
		c.w.readDir(list, 0, 1<<16, true) // whatever it tells of the node
		c.w.releaseDir(list)
		out, s := c.w.lookup(root, name)
		c.w.ok("lookup "+name, s)
		node, seen = out.NodeId, append(seen, timesOf(out.Attr))
	}
	var a fuse.AttrOut
	c.w.ok("getattr", c.w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(node)}, &a))
	seen = append(seen, timesOf(a.Attr))
	if seen[0] != seen[len(seen)-1] {
		c.w.t.Errorf("LOOKUP gives %v, GETATTR %v", seen[0], seen[1])
	}
	return seen[0]
}

// stays checks that what happened, and the passing of time, changed nothing.
func (c *clock) stays(what, name string, node uint64) {
	c.w.t.Helper()
	for _, pause := range []time.Duration{0, 400 * time.Millisecond, 2 * testTTL} {
		time.Sleep(pause)
		if now := c.look(name, node); now != c.last {
			c.w.t.Errorf("%s, after %v: %v, and before %v", what, pause, now, c.last)
			c.last = now
		}
	}
}

// changes checks that what happened changed ctime, and mtime only forwards.
func (c *clock) changes(what, name string, node uint64) {
	c.w.t.Helper()
	now := c.look(name, node)
	if !now.c.After(c.last.c) || now.m.Before(c.last.m) {
		c.w.t.Errorf("%s: %v, and before %v", what, now, c.last)
	}
	c.last = now
	c.stays(what, name, node)
}

// No time of a file goes back, nor forwards without a change, whatever becomes of the file: the
// bucket has another clock, whole seconds, and the time of the commit.
// SEMANTICS Attributes and times
func TestTimesChangeWithTheFileAlone(t *testing.T) {
	for _, versioned := range []bool{true, false} {
		for _, slow := range []time.Duration{0, 600 * time.Millisecond} {
			t.Run(fmt.Sprintf("versioned=%v,slow=%v", versioned, slow), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(700 * time.Millisecond)
					w := newWorldOf(t, memstore.Options{Versioned: versioned})
					w.net.Hook(func(op, key string, _ int) (f faultstore.Fault) {
						if op == "Put" || op == "Copy" {
							time.Sleep(slow) // into the next second
						}
						return f
					})
					w.timesOfAFile()
				})
			})
		}
	}
}

func (w *world) timesOfAFile() {
	c := clock{w: w}
	mode := uint32(0o600)
	chmod := func(d descriptor) {
		mode ^= 0o100
		w.setattr(d, fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: mode})
	}

	// Through a descriptor.
	d := w.create(root, "a")
	c.changes("create", "a", 0)
	w.write(d, 0, "x")
	c.changes("write", "a", 0)
	w.ok("fsync", w.raw.Fsync(nil, &fuse.FsyncIn{InHeader: header(d.node), Fh: d.fh}))
	c.stays("fsync", "a", 0)
	chmod(d)
	c.changes("fchmod", "a", 0)
	w.setattr(d, fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME | fuse.FATTR_ATIME, Mtime: uint64(time.Now().Unix()), Mtimensec: 5})
	c.changes("futimens", "a", 0)
	w.write(d, 1, "y")
	c.changes("write", "a", 0)
	w.ok("flush", w.flush(d))
	c.stays("close", "a", 0)
	w.release(d)
	c.stays("release", "a", 0)

	// By name, with and without a reader.
	n := w.find(root, "a")
	chmod(descriptor{node: n})
	c.changes("chmod", "a", 0)
	w.setattr(descriptor{node: n}, fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE, Size: 1})
	c.changes("truncate", "a", 0)
	chmod(descriptor{node: n})
	c.changes("chmod", "a", 0)
	d = w.open(w.find(root, "a"), unix.O_WRONLY)
	c.stays("open for writing", "a", 0)
	w.close(d)
	c.stays("close without a change", "a", 0)
	r := w.open(w.find(root, "a"), unix.O_RDONLY)
	c.stays("open for reading", "a", 0)
	for range 3 {
		chmod(descriptor{node: w.find(root, "a")})
		c.changes("chmod beside a reader", "a", 0)
	}
	w.ok("rename", w.rename(root, "a", root, "b"))
	c.changes("rename beside a reader", "b", 0)
	c.stays("the reader's", "", r.node)
	w.release(r)
	c.stays("the reader's close", "b", 0)

	// Renamed, forgotten, and found again.
	w.ok("rename", w.rename(root, "b", root, "a"))
	c.changes("rename", "a", 0)
	for n := w.find(root, "a"); w.front.nodeOf("a") != nil; {
		w.forget(n, 1)
	}
	c.stays("forgotten", "a", 0)
	d = w.open(w.find(root, "a"), unix.O_WRONLY|unix.O_TRUNC)
	c.changes("open with O_TRUNC", "a", 0)
	w.ok("rename of an open file", w.rename(root, "a", root, "b"))
	c.changes("rename of an open file", "b", 0)
	w.close(d)
	c.stays("its close", "b", 0)
	w.save("tmp", "new")
	w.ok("rename", w.rename(root, "tmp", root, "b"))
	c.changes("another is renamed to it", "b", 0)
	w.ok("unlink", w.unlink(root, "b"))
	w.save("b", "again")
	c.changes("made again", "b", 0)

	// Others.
	w.bucket.PutForeign("b", "theirs")
	time.Sleep(2 * testTTL)
	if now := c.look("b", 0); now.c.Before(c.last.c) {
		w.t.Errorf("theirs: %v, and before %v", now, c.last)
	} else {
		c.last = now
	}
	c.stays("theirs", "b", 0)
	chmod(descriptor{node: w.find(root, "b")})
	c.changes("chmod of theirs", "b", 0)
}
