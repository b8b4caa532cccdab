package file

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// LOCKS P4.4: what a close or fsync asked to save is sealed when it asks, also while an earlier
// commit holds the file. "The work goes on" is true of each of them.
func TestSealsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("f", "base")
		x := h.open("f", "r+")
		end := h.b.outage()
		for _, text := range []string{"A", "B", "C"} {
			h.write(x, text, 0)
			if err := x.Sync(t.Context()); !errors.Is(err, ErrUnsaved) {
				t.Fatalf("fsync of %s: %v", text, err)
			}
			h.check()
		}
		h.write(x, "D", 0) // nobody asks to save this
		end()
		time.Sleep(2 * time.Minute)
		if h.b.get("f") != "Case" || h.b.versions("f") != 4 {
			t.Errorf("the bucket has %q in %d versions", h.b.get("f"), h.b.versions("f"))
		}
		for i, want := range []string{"base", "Aase", "Base", "Case"} {
			if got := h.b.version("f", i); got != want {
				t.Errorf("version %d is %q, want %q", i, got, want)
			}
		}
		if err := h.close(x); err != nil || h.b.get("f") != "Dase" {
			t.Errorf("close: %v, %q", err, h.b.get("f"))
		}
	})
}

// The seals that wait are recovered as seals, in their order.
func TestSealsQueueIsRecovered(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			h.b.put("f", "base")
			x := h.open("f", "r+")
			h.b.outage()
			for _, text := range []string{"A", "B"} {
				h.write(x, text, 0)
				if err := x.Sync(t.Context()); !errors.Is(err, ErrUnsaved) {
					t.Fatalf("fsync of %s: %v", text, err)
				}
			}
			mode := uint32(0o600)
			if _, err := h.SetAttr(t.Context(), "f", Change{Mode: &mode}); err != nil {
				t.Fatal(err)
			}
			h.died()
			if foreign {
				h.b.put("f", "theirs")
			}
			n := newHost(t, h.b, h.locks)
			defer n.stop()
			if left := n.recover(h); len(left) != 0 {
				t.Errorf("left %+v", left)
			}
			kept := h.b.like("f.")
			switch {
			case foreign && (h.b.get("f") != "theirs" || len(kept) != 1 || h.b.get(kept[0]) != "Base"):
				t.Errorf("f is %q, kept %v", h.b.get("f"), kept)
			case !foreign && (h.b.get("f") != "Base" || h.b.versions("f") != 4 || len(kept) != 0):
				t.Errorf("f is %q in %d versions, kept %v", h.b.get("f"), h.b.versions("f"), kept)
			}
			if i := h.b.info("f"); !foreign && AttrOf(i, h.o.Defaults).Mode != ModeRegular|0o600 {
				t.Errorf("the mode is lost: %o", AttrOf(i, h.o.Defaults).Mode)
			}
		})
	}
}

// What waits to be saved goes with the name.
func TestUnlinkEndsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("f", "base")
		x := h.open("f", "r+")
		h.write(x, "B", 0)
		h.b.net.On("Get").Fail(store.Unsent, errDial) // the rest of the base cannot be read
		if err := x.Sync(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("fsync: %v", err)
		}
		if err := h.Unlink(t.Context(), "f", nil); err != nil {
			t.Fatal(err)
		}
		h.b.net.Heal()
		time.Sleep(time.Minute)
		if err := h.close(x); err != nil || h.b.get("f") != "-" || h.locks.holds("f") {
			t.Errorf("close: %v, f is %q, lease held: %v", err, h.b.get("f"), h.locks.holds("f"))
		}
	})
}

// LOCKS P4.4: close answers with the error again as long as what the handle wrote is not in the
// bucket.
func TestCloseFailsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x := h.open("f", "c")
		h.write(x, "text", 0)
		h.b.refuse()
		if err := x.Sync(t.Context()); !errors.Is(err, store.ErrAccessDenied) {
			t.Errorf("fsync: %v", err)
		}
		for range 2 { // of a descriptor and its duplicate
			if err := x.Flush(t.Context(), caller); !errors.Is(err, store.ErrAccessDenied) {
				t.Errorf("close: %v", err)
			}
		}
		x.Release()
		h.stop()
	})
}

// The same for a close that commits nothing, because its process has another descriptor of the
// file.
func TestDeferredCloseFailsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.process(9, fd(5))
		deferred := Caller{PID: 9, Dev: 45, Ino: 5}
		x := h.open("f", "c")
		h.write(x, "text", 0)
		end := h.b.outage()
		if err := x.Sync(t.Context()); !errors.Is(err, ErrUnsaved) {
			t.Errorf("fsync: %v", err)
		}
		for range 2 {
			if err := x.Flush(t.Context(), deferred); !errors.Is(err, ErrUnsaved) {
				t.Errorf("close: %v", err)
			}
		}
		end()
		time.Sleep(time.Minute)
		if err := x.Flush(t.Context(), deferred); err != nil || h.b.get("f") != "text" {
			t.Errorf("once it is saved: %v, %q", err, h.b.get("f"))
		}
		x.Release()
	})
}

// A commit that lands takes back what was said of it, and not what was said of a later one.
func TestLandingTakesBackItsOwnErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x, y := h.open("f", "c"), (*Handle)(nil)
		h.write(x, "A", 0)
		y = h.open("f", "r+")
		var passes atomic.Int64
		h.b.before("Put", "f", func() faultstore.Fault { return faultstore.Fault{Hang: passes.Add(-1) < 0} })
		if err := x.Sync(t.Context()); !errors.Is(err, ErrUnsaved) {
			t.Fatal(err)
		}
		h.write(x, "B", 0)
		if err := x.Sync(t.Context()); !errors.Is(err, ErrUnsaved) {
			t.Fatal(err)
		}
		passes.Store(1)
		time.Sleep(time.Minute)
		h.process(9, fd(5)) // defers, and is told what is remembered
		deferred := Caller{PID: 9, Dev: 45, Ino: 5}
		if err := y.Flush(t.Context(), deferred); !errors.Is(err, ErrUnsaved) {
			t.Errorf("the first has landed, the second has not: %v", err)
		}
		h.b.net.Heal()
		time.Sleep(time.Minute)
		if err := errors.Join(h.close(x), h.close(y)); err != nil || h.b.get("f") != "B" {
			t.Errorf("%v, %q", err, h.b.get("f"))
		}
	})
}
