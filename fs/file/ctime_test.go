package file

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Of a version that was made here ctime is that of the change, whatever the bucket says; of any
// other one the later of both. What is remembered is bounded.
func TestChangedHere(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(1e9, int64(s*1e9)) }
	ours, theirs := store.Base{ETag: "e", VersionID: "1"}, store.Base{ETag: "f", VersionID: "2"}
	var c changed
	c.note("a", ours, at(5.5))
	for _, tt := range []struct {
		key     string
		version store.Base
		bucket  float64
		want    float64
	}{
		{"a", ours, 5, 5.5}, {"a", ours, 6, 5.5}, {"a", theirs, 5, 5.5}, {"a", theirs, 6, 6}, {"a", store.Base{}, 0, 5.5}, {"b", ours, 5, 5},
	} {
		if got := c.ctime(tt.key, tt.version, at(tt.bucket)); !got.Equal(at(tt.want)) {
			t.Errorf("%s, version %q of %v: %v, want %v", tt.key, tt.version.VersionID, tt.bucket, got.Sub(at(0)), tt.want)
		}
	}
	c.note("a", theirs, at(4)) // by a clock that was set back
	if got := c.ctime("a", theirs, at(4)); !got.Equal(at(5.5)) {
		t.Errorf("it went back to %v", got.Sub(at(0)))
	}
	for i := range 3 * changedMax {
		c.note(fmt.Sprint(i), ours, at(1))
		if i < changedMax && !c.ctime("a", theirs, at(0)).Equal(at(5.5)) {
			t.Fatalf("forgotten after %d others", i)
		}
	}
	if n := len(c.young) + len(c.old); n > 2*changedMax || n < changedMax {
		t.Errorf("%d names are remembered", n)
	}
}

// LastModified has whole seconds, in which mtime tells more; an mtime that was set does not.
func TestBucketCtime(t *testing.T) {
	modified := time.Unix(1e9, 0)
	for _, tt := range []struct{ mtime, want time.Duration }{
		{700 * time.Millisecond, 700 * time.Millisecond}, {-time.Hour, 0}, {time.Hour, 0}, {time.Second, 0}, {0, 0},
	} {
		i := store.Info{Key: "a", ETag: "e", LastModified: modified}
		i.Props.Meta, _ = store.Posix{Mtime: modified.Add(tt.mtime), Has: store.HasMtime}.Put(nil)
		if got := AttrOf(i, Defaults{}).Ctime.Sub(modified); got != tt.want {
			t.Errorf("mtime %v after LastModified: ctime %v, want %v", tt.mtime, got, tt.want)
		}
	}
	foreign := store.Info{Key: "a", ETag: "e", LastModified: modified}
	if a := AttrOf(foreign, Defaults{}); !a.Ctime.Equal(a.Mtime) {
		t.Errorf("a foreign object: mtime %v, ctime %v", a.Mtime, a.Ctime)
	}
}

// Another host's clock is ahead. A change here has a later ctime all the same, and a file that
// is made where theirs was, too.
func TestChangeAfterAClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.save("a", "x")
		synctest.Wait()
		ahead := time.Now().Add(time.Hour)
		h.changedHere.note("a", store.Base{}, ahead)
		mode := uint32(0o600)
		a, err := h.SetAttr(t.Context(), "a", Change{Mode: &mode})
		if err != nil || !a.Ctime.After(ahead) {
			t.Errorf("chmod: ctime %v is not after %v: %v", a.Ctime, ahead, err)
		}
		was := a.Ctime
		x := h.open("a", "r+")
		h.write(x, "y", 0)
		if a := x.Attr(); !a.Ctime.After(was) || a.Mtime.After(time.Now()) {
			t.Errorf("write: mtime %v, ctime %v; it was %v", a.Mtime, a.Ctime, was)
		}
		was = x.Attr().Ctime
		if err := h.close(x); err != nil {
			t.Fatal(err)
		}
		if err := h.Unlink(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		y := h.open("a", "c")
		if a := y.Attr(); !a.Ctime.After(was) {
			t.Errorf("made again: ctime %v is not after %v", a.Ctime, was)
		}
		if err := h.close(y); err != nil {
			t.Error(err)
		}
	})
}

// What lost its name to another version was shown later than that one was made.
func TestCtimeAfterAConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.b.put("a", "theirs")
		time.Sleep(1500 * time.Millisecond)
		h.write(x, "ours", 0)
		last := x.Attr().Ctime
		if err := h.close(x); !errors.Is(err, ErrConflicted) {
			t.Fatalf("close: %v", err)
		}
		if a := h.Attributes(h.b.info("a")); a.Ctime.Before(last) {
			t.Errorf("ctime went back by %v", last.Sub(a.Ctime))
		}
	})
}
