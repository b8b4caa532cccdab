package fs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/history"
)

// What look-ups have read is bounded, used once, and gone once it is not believed any more.
func TestBeginningsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &NewVersions().begun
		began := time.Now()
		for i := range 2 * maxBeginnings {
			b.put(fmt.Sprint(i), history.Beginning{}, began.Add(time.Duration(i)), time.Second)
		}
		if _, _, ok := b.take(fmt.Sprint(maxBeginnings-1), time.Second); ok {
			t.Error("an older one is kept than is dropped")
		}
		b.put("late", history.Beginning{}, began.Add(-time.Second), time.Second)
		if len(b.kept) != maxBeginnings {
			t.Errorf("%d are kept", len(b.kept))
		}
		for i, want := range []bool{true, false} {
			if _, at, ok := b.take("20", time.Second); ok != want || ok && !at.Equal(began.Add(20)) {
				t.Errorf("taken %d times before: %v, of %v", i, ok, at)
			}
		}
		b.forget("21")
		if _, _, ok := b.take("21", time.Second); ok {
			t.Error("what was to be forgotten is kept")
		}
		time.Sleep(time.Second + 2*maxBeginnings)
		if _, _, ok := b.take("22", time.Second); ok {
			t.Error("it is believed for too long")
		}
		synctest.Wait()
		if len(b.kept) != 0 {
			t.Errorf("%d are kept for ever", len(b.kept))
		}
	})
}

// A version that this host makes between the look-up of its name and the listing is listed; so is one
// that others make, once the time is over.
func TestListingAfterALookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.save("f", "1")
		view := w.walk(".versions/f")
		d := w.open(w.walk("f"), unix.O_WRONLY|unix.O_TRUNC)
		w.write(d, 0, "22")
		w.close(d)
		w.check(t, "1 22")
		w.walk(".versions/f")
		w.bucket.PutForeign("f", "333")
		time.Sleep(testTTL)
		if got := w.list(view); len(got) != len("2000-01-01T00.00.00Z.000~xxxxxxxx")*3+2 {
			t.Errorf("%q is listed", got)
		}
		w.walk(".versions/f")
		w.ok("unlink", w.unlink(root, "f"))
		if got := w.list(view); got[len(got)-8:] != "~deleted" {
			t.Errorf("%q is listed", got)
		}
	})
}
