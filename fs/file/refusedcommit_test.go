package file

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// SEMANTICS G1, LOCKS P4.5: a refused commit is parked: no retry loop holds the lease, and
// the bytes stay in the spool for recovery.
func TestRefusedCommitIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x := h.open("a", "c")
		h.write(x, "text", 0)
		refused := h.b.net.On("Put").Fail(store.Refused, store.ErrAccessDenied)
		if err := h.close(x); !errors.Is(err, store.ErrAccessDenied) {
			t.Errorf("close: %v", err)
		}
		synctest.Wait()
		if h.locks.holds("a") || refused.Fired() != 1 {
			t.Errorf("lease held: %v, %d requests", h.locks.holds("a"), refused.Fired())
		}
		if p := h.Pending(); len(p) != 1 || p[0].Key != "a" || p[0].Bytes != 4 {
			t.Errorf("pending: %+v", p)
		}
		h.b.net.Heal()
		h.stop()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.recover(h)
		if h.b.get("a") != "text" {
			t.Errorf("recovered %q", h.b.get("a"))
		}
	})
}

// A change by name that the bucket refuses fails, and that is all: it must not come true at
// the next mount. What was written beside it is kept, with the change in it, and then the call does
// not say that it has not happened.
func TestRefusedChangeByNameIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		for _, key := range []string{"a", "b"} {
			x := h.open(key, "c")
			h.write(x, "text", 0)
			if err := h.close(x); err != nil {
				t.Fatal(err)
			}
			x.Release()
		}
		synctest.Wait()
		h.b.refuse()
		size, mode := int64(1), uint32(0o600)
		for _, c := range []Change{{Mode: &mode}, {Size: &size}} {
			if _, err := h.SetAttr(t.Context(), "a", c); !errors.Is(err, store.ErrAccessDenied) {
				t.Errorf("change: %v", err)
			}
			synctest.Wait()
			if p := h.Pending(); len(p) != 0 || h.locks.holds("a") {
				t.Errorf("pending: %+v, lease held: %v", p, h.locks.holds("a"))
			}
		}

		// Another process writes while the change is on its way.
		h.b.net.Heal()
		x := (*Handle)(nil)
		h.b.before("Put", "b", func() faultstore.Fault {
			h.b.refuse()
			x = h.open("b", "r+")
			h.write(x, "more", 4)
			return faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Err: store.ErrAccessDenied}}
		})
		if _, err := h.SetAttr(t.Context(), "b", Change{Size: &size}); !errors.Is(err, ErrUnsaved) {
			t.Errorf("change: %v", err)
		}
		if p := h.Pending(); len(p) != 1 || p[0].Key != "b" {
			t.Errorf("pending: %+v", p)
		}
		x.Release()
	})
}

// A full spool refuses the write, and what was accepted before is saved.
func TestNoSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.restart(spool.Options{Limit: 64 << 10})
		x := h.open("a", "c")
		h.write(x, "12345678", 0)
		if n, err := x.Write(make([]byte, 64<<10), 8); n != 0 || !errors.Is(err, ErrNoSpace) {
			t.Errorf("write over the limit: %d, %v", n, err)
		}
		if err := h.close(x); err != nil || h.b.get("a") != "12345678" {
			t.Errorf("close: %v, %q", err, h.b.get("a"))
		}
	})
}

// A file may be as large as an object; what would be larger is refused before it is
// accepted.
func TestLargestFile(t *testing.T) {
	largestFile(t, 0, store.MaxObject)
	largestFile(t, store.CompleteConditions, 5<<30) // what one request can make
}

func largestFile(t *testing.T, flaws store.Flaws, size int64) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, bucketOf(memstore.Options{Versioned: true, Flaws: flaws}), newLockTable())
		defer h.stop()
		x := h.open("a", "c")
		size, more := size, size+1
		if _, err := x.SetAttr(t.Context(), Change{Size: &more}); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("one byte too large: %v", err)
		}
		if _, err := x.SetAttr(t.Context(), Change{Size: &size}); err != nil {
			t.Errorf("as large as possible: %v", err)
		}
		if _, err := x.Write([]byte("x"), size); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("a byte beyond the end: %v", err)
		}
		if got := x.Attr().Size; got != size {
			t.Errorf("the size is %d", got)
		}
		if _, err := x.Write([]byte("x"), 0); err != nil {
			t.Errorf("the first byte: %v", err)
		}
		if flaws == 0 { // a file that is larger than a mount of this server can save
			h.b.SetFlaws(store.CompleteConditions)
			if _, err := x.Write([]byte("x"), 0); !errors.Is(err, store.ErrTooLarge) {
				t.Errorf("the first byte of what cannot be saved: %v", err)
			}
		}
		if err := h.Unlink(t.Context(), "a", nil); err != nil {
			t.Error(err)
		}
		x.Release()
	})
}
