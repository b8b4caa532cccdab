package fs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/latchfs/latchfs/store/memstore"
)

// setTimes sets the mtime of a directory, in seconds.
func (w *world) setTimes(dir uint64, seconds uint64) {
	w.t.Helper()
	w.setattr(descriptor{node: dir}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME, Mtime: seconds})
}

// eachClock runs a test with servers whose clock is that of the hosts, ahead and behind.
func eachClock(t *testing.T, run func(t *testing.T, one, two *world)) {
	for _, skew := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour} {
		for _, part := range []time.Duration{0, 700 * time.Millisecond} {
			t.Run(fmt.Sprintf("skew=%s,part=%s", skew, part), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(part)
					b := memstore.New(memstore.Options{Versioned: true, Now: func() time.Time { return time.Now().Add(skew) }})
					run(t, newWorldOn(t, b), newWorldOn(t, b))
				})
			})
		}
	}
}

// Whether a directory's times were set before or after its entries changed does not depend on the
// server's clock. SEMANTICS Attributes and times
func TestDirectoryTimesOfAnotherClock(t *testing.T) {
	eachClock(t, func(t *testing.T, one, two *world) {
		one.mkdir(root, "d")
		time.Sleep(time.Second)
		dir := func() uint64 { return two.find(root, "d") }
		before := two.attr(dir())
		changes := func(what string) {
			t.Helper()
			now := two.attr(dir())
			if !now.ModTime().After(before.ModTime()) || now.ChangeTime().Before(before.ChangeTime()) {
				t.Errorf("%s: mtime was %v and is %v, ctime was %v and is %v", what, before.ModTime(), now.ModTime(), before.ChangeTime(), now.ChangeTime())
			}
			before = now
		}
		set := func(what string, seconds uint64) {
			t.Helper()
			now := two.attr(dir())
			if now.Mtime != seconds || !now.ChangeTime().After(before.ChangeTime()) {
				t.Errorf("%s: mtime is %v, ctime was %v and is %v", what, now.ModTime(), before.ChangeTime(), now.ChangeTime())
			}
			before = now
		}
		two.close(two.create(dir(), "ours"))
		changes("our file")
		one.close(one.create(one.find(root, "d"), "theirs"))
		time.Sleep(2 * testTTL)
		changes("their file")
		two.setTimes(dir(), 5)
		set("our utimens", 5)
		time.Sleep(2 * testTTL)
		if now := two.attr(dir()); now.Mtime != 5 {
			t.Errorf("our utimens, and later: mtime is %v", now.ModTime())
		}
		two.ok("unlink", two.unlink(dir(), "ours"))
		changes("our removal")
		one.setTimes(one.find(root, "d"), 6)
		time.Sleep(2 * testTTL)
		set("their utimens", 6)
		one.ok("unlink", one.unlink(one.find(root, "d"), "theirs"))
		time.Sleep(2 * testTTL)
		changes("their removal")

		// Seen at once.
		one.setTimes(one.find(root, "d"), 7)
		time.Sleep(time.Second)
		one.close(one.create(one.find(root, "d"), "more"))
		time.Sleep(2 * testTTL)
		changes("their utimens, then their file")
		one.close(one.create(one.find(root, "d"), "and more"))
		time.Sleep(time.Second)
		one.setTimes(one.find(root, "d"), 8)
		time.Sleep(2 * testTTL)
		set("their file, then their utimens", 8)
		one.ok("unlink", one.unlink(one.find(root, "d"), "more"))
		time.Sleep(time.Second)
		one.setTimes(one.find(root, "d"), 9)
		time.Sleep(2 * testTTL)
		set("their removal, then their utimens", 9)
	})
}

// What a change of the mode answers is what is shown afterwards, and not older than what was before.
// SEMANTICS Attributes and times
func TestChmodOfADirectoryAnswersItsTimes(t *testing.T) {
	eachClock(t, func(t *testing.T, w, _ *world) {
		w.bucket.PutForeign("d/f", "x")
		time.Sleep(time.Second)
		dir := w.find(root, "d")
		before := w.attr(dir)
		answer := w.setattr(descriptor{node: dir}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o700})
		after := w.attr(dir)
		if !answer.ChangeTime().Equal(after.ChangeTime()) || !answer.ModTime().Equal(after.ModTime()) || after.ChangeTime().Before(before.ChangeTime()) ||
			!after.ModTime().Equal(before.ModTime()) {
			t.Errorf("before %v %v, answered %v %v, then %v %v", before.ModTime(), before.ChangeTime(), answer.ModTime(), answer.ChangeTime(), after.ModTime(), after.ChangeTime())
		}
	})
}

// A program that fills a directory and then sets its time, as rsync and tar do, has it as it was
// set: also if it was the same before, and on a host that noticed the files late.
// SEMANTICS Attributes and times
func TestDirectoryTimesAreSetAgain(t *testing.T) {
	eachClock(t, func(t *testing.T, one, two *world) {
		dir := one.mkdir(root, "d")
		for i, makes := range []*world{one, one, two, two} {
			two.find(root, "d")
			makes.close(makes.create(makes.find(root, "d"), fmt.Sprint("f", i)))
			time.Sleep(testTTL)
			two.find(root, "d") // it shows the file now; if it made it, the other one does not yet
			time.Sleep(testTTL / 10)
			one.setTimes(dir, 1e8)
			for range 3 {
				time.Sleep(testTTL)
				if got := one.attr(one.find(root, "d")); got.Mtime != 1e8 {
					t.Errorf("%d: the host that set it shows %v", i, got.ModTime())
				}
				if got := two.attr(two.find(root, "d")); got.Mtime != 1e8 {
					t.Errorf("%d: the other host shows %v", i, got.ModTime())
				}
			}
		}
		three := newWorldOn(t, one.bucket)
		if got := three.attr(three.find(root, "d")); got.Mtime != 1e8 {
			t.Errorf("a new mount shows %v", got.ModTime())
		}
	})
}

// A chmod by a host that has not noticed yet what is in a directory does not set its mtime back, for
// those who have; and a new mount shows what the one knew. SEMANTICS Attributes and times
func TestChmodOfADirectoryElsewhere(t *testing.T) {
	eachClock(t, func(t *testing.T, one, two *world) {
		dir := one.mkdir(root, "d")
		one.setTimes(dir, 1e8)
		two.find(root, "d")
		for i := range uint32(3) {
			two.close(two.create(two.find(root, "d"), fmt.Sprint("f", i)))
			before := two.attr(two.find(root, "d"))
			one.setattr(descriptor{node: dir}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o700 + i})
			for range 3 {
				time.Sleep(testTTL)
				now := two.attr(two.find(root, "d"))
				if now.ModTime().Before(before.ModTime()) || now.ChangeTime().Before(before.ChangeTime()) {
					t.Errorf("%d: mtime was %v and is %v, ctime was %v and is %v", i, before.ModTime(), now.ModTime(), before.ChangeTime(), now.ChangeTime())
				}
				before = now
			}
			one.find(root, "d")
		}
		one.setattr(descriptor{node: dir}, fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o711})
		knew := one.attr(dir)
		three := newWorldOn(t, one.bucket)
		if got := three.attr(three.find(root, "d")); !got.ModTime().Equal(knew.ModTime()) {
			t.Errorf("a new mount shows %v, the one that changed the mode %v", got.ModTime(), knew.ModTime())
		}
	})
}
