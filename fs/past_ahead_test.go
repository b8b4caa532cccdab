package fs

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/store"
)

// Who walks through a directory of the past does not wait for one request after the other; none is sent
// twice, and none for who looks up single names.
func TestPastLooksAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const files = 300
		for i := range files {
			w.bucket.PutForeign(fmt.Sprintf("f%03d", i), "x")
		}
		time.Sleep(time.Hour)
		w.net.On("Head").Delay(20 * time.Millisecond)
		heads := func() int { return w.bucket.Count("Head") }
		walk := func(dir uint64) (took time.Duration, sent int) {
			t.Helper()
			names, _ := w.entries(dir)
			began, before := time.Now(), heads()
			for _, name := range names {
				w.find(dir, name)
			}
			return time.Since(began), heads() - before
		}
		at := time.Now()
		if took, sent := walk(w.past("", at)); sent != files || took > files*20*time.Millisecond/10 {
			t.Errorf("%d requests in %v", sent, took)
		}
		if took, sent := walk(w.past("", at)); sent != 0 || took != 0 {
			t.Errorf("again: %d requests in %v", sent, took)
		}
		dir := w.past("", at.Add(-time.Second))
		w.find(dir, "f020")
		if _, sent := walk(dir); sent != files-1 {
			t.Errorf("%d requests, where one file was known", sent)
		}
		// Single names, backwards or far apart.
		before := heads()
		dir = w.past("", at.Add(-time.Minute))
		w.list(dir)
		for i := files - 1; i >= 0; i -= 30 {
			w.find(dir, fmt.Sprintf("f%03d", i))
		}
		for i := 1; i < files; i += 50 {
			w.find(dir, fmt.Sprintf("f%03d", i))
		}
		synctest.Wait()
		if sent := heads() - before; sent != 10+6 {
			t.Errorf("%d requests for 16 single names", sent)
		}
		// Who leaves is not missed.
		dir = w.past("", at.Add(-2*time.Minute))
		w.list(dir)
		w.find(dir, "f000")
		w.find(dir, "f001")
		time.Sleep(keepPastAhead + time.Second)
		w.front.pastAhead.mu.Lock()
		defer w.front.pastAhead.mu.Unlock()
		if n := len(w.front.pastAhead.m); n != 0 {
			t.Errorf("%d answers are kept", n)
		}
	})
}

// What was asked for ahead and failed is asked for again.
func TestPastAheadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 10 {
			w.bucket.PutForeign(fmt.Sprintf("f%d", i), "x")
		}
		time.Sleep(time.Hour)
		dir := w.past("", time.Now())
		w.list(dir)
		w.find(dir, "f0")
		w.net.On("Head").Key("f5").Nth(1).Fail(store.Refused, store.ErrAccessDenied)
		w.find(dir, "f1")
		synctest.Wait()
		w.find(dir, "f5")
	})
}

// What was removed for good is not there, and not listed any more once somebody has looked.
func TestPastOfWhatWasRemovedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		v := w.bucket.PutForeign("f", "x")
		w.bucket.PutForeign("g", "x")
		time.Sleep(time.Hour)
		dir := w.past("", time.Now())
		if got := w.list(dir); got != "f g" {
			t.Fatal(got)
		}
		w.bucket.Destroy("f", v.VersionID)
		w.missing(dir, "f")
		if got := w.list(dir); got != "g" {
			t.Errorf("listed: %s", got)
		}
	})
}

// The attributes of a file of the past are for who may go the way to it, as it was.
func TestXattrOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSharedWorld(t)
		w.putAs("d/", 0o700, 1000)
		w.putAs("d/f", 0o644, 1000)
		at := time.Now()
		time.Sleep(time.Minute)
		w.putAs("d/", 0o755, 1000)
		f := w.find(w.find(w.past("", at), "d"), "f")
		h := asUser(f, 1001)
		for name, want := range map[string]fuse.Status{"user.latchfs.etag": fuse.Status(unix.ENODATA), "system.posix_acl_access": fuse.Status(unix.ENOTSUP)} {
			if _, s := w.raw.GetXAttr(nil, &h, name, make([]byte, 100)); s != want {
				t.Errorf("%s: %v", name, s)
			}
		}
		if strings.Contains(w.log.String(), "level=ERROR") {
			t.Error(w.log.String())
		}
	})
}
