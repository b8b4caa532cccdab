package file

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// LOCKS P3, SEMANTICS G1: the base of a live file changes only by its own commit. After a lost
// lease every operation by name that finds another version puts the file into conflict, so
// that the handle that is open can never write over what it has not seen.
func TestNamesAfterALostLease(t *testing.T) {
	size, mode := int64(2), uint32(0o600)
	for _, c := range []struct {
		name string
		do   func(h *host) error
	}{
		{"rename", func(h *host) error { return h.Rename(context.Background(), "a", "b", false, nil) }},
		{"rename over it", func(h *host) error { h.b.put("c", "c"); return h.Rename(context.Background(), "c", "a", false, nil) }},
		{"unlink", func(h *host) error { return h.Unlink(context.Background(), "a", nil) }},
		{"chmod", func(h *host) error { _, err := h.SetAttr(context.Background(), "a", Change{Mode: &mode}); return err }},
		{"truncate", func(h *host) error { _, err := h.SetAttr(context.Background(), "a", Change{Size: &size}); return err }},
		{"open for write", func(h *host) error { _, err := h.tryOpen("a", "r+"); return err }},
		{"open that truncates", func(h *host) error { _, err := h.tryOpen("a", "w"); return err }},
		{"create", func(h *host) error { _, err := h.tryOpen("a", "c"); return err }},
	} {
		for _, dirty := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, newBucket(), newLockTable())
					defer h.stop()
					h.b.put("a", "base")
					x := h.open("a", "r+")
					if dirty {
						h.write(x, "ours", 0)
					}
					h.b.put("a", "theirs, longer")
					// The operation has found the file before the file's own watcher has looked.
					x.f.lockOp(context.Background())
					h.locks.lose("a")
					answer := make(chan error)
					go func() { answer <- c.do(h) }()
					synctest.Wait()
					x.f.unlockOp()
					if err := <-answer; !errors.Is(err, ErrStale) && !(dirty && errors.Is(err, ErrConflicted)) {
						t.Errorf("%s: %v", c.name, err)
					}
					synctest.Wait()
					if h.b.get("a") != "theirs, longer" || h.b.get("b") != "-" {
						t.Errorf("a is %q, b is %q", h.b.get("a"), h.b.get("b"))
					}
					if _, err := x.Write([]byte("more"), 0); !errors.Is(err, ErrConflicted) {
						t.Errorf("write through the old handle: %v", err)
					}
					if err := h.close(x); dirty != errors.Is(err, ErrConflicted) {
						t.Errorf("close: %v", err)
					}
					kept := h.b.like("a.conflict-")
					if dirty && (len(kept) != 1 || h.b.get(kept[0]) != "ours") || !dirty && len(kept) != 0 {
						t.Errorf("kept %v", kept)
					}
					// The second try is about what is there now.
					if err := c.do(h); errors.Is(err, ErrStale) {
						t.Errorf("again: %v", err)
					}
				})
			})
		}
	}
}

// The same when nobody has written meanwhile: the file goes on under the new lease.
func TestNamesAfterALostLeaseAndNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.locks.lose("a")
		if err := h.Rename(context.Background(), "a", "b", false, nil); err != nil {
			t.Fatal(err)
		}
		h.write(x, "more", 4)
		if err := h.close(x); err != nil || h.b.get("b") != "oursmore" || h.b.get("a") != "-" {
			t.Errorf("close: %v, b is %q, a is %q", err, h.b.get("b"), h.b.get("a"))
		}
		synctest.Wait()
		if h.locks.holds("a") || h.locks.holds("b") {
			t.Error("leases are left")
		}
	})
}

// SEMANTICS G2, LOCKS P3: a file whose lease is not proved valid is not followed. Opens and
// looks ask the bucket, and what is open goes on reading what it had.
func TestOpensAfterALostLease(t *testing.T) {
	for _, lost := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			defer h.stop()
			first := h.b.put("a", "base")
			x := h.open("a", "a")
			h.write(x, " and ours", 0)
			h.locks.mu.Lock()
			h.locks.down = true
			h.locks.held["a"].expired = true
			h.locks.mu.Unlock()
			if lost {
				h.locks.lose("a")
			}
			synctest.Wait()
			if _, ok := h.Attr("a"); ok {
				t.Error("followed without a proof")
			}
			if a, ok := h.AttrOf("a", first.Base()); !ok || a.Size != 13 {
				t.Errorf("nobody has written, and the writer is not followed: %+v, %v", a, ok)
			}
			if y := h.open("a", "r"); h.read(y) != "base and ours" {
				t.Errorf("before anybody wrote a reader reads %q", h.read(y))
			}
			theirs := h.b.put("a", "theirs")
			if _, ok := h.AttrOf("a", theirs.Base()); ok {
				t.Error("followed on another version")
			}
			y := h.open("a", "r")
			if got := h.read(y); got != "theirs" {
				t.Errorf("an open shows %q", got)
			}
			if a := x.Attr(); a.Size != 13 {
				t.Errorf("fstat of the writer: %+v", a)
			}
			began := time.Now()
			_, _, err := h.Open(context.Background(), OpenRequest{Key: "a", Write: true, NonBlock: true})
			if _, held := errors.AsType[*lockmgr.HeldError](err); !held && !errors.Is(err, lockmgr.ErrUnavailable) {
				t.Errorf("open for write without the lock table: %v after %v", err, time.Since(began))
			}
			h.b.remove("a")
			if _, err := h.tryOpen("a", "r"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("open of what was removed: %v", err)
			}
		})
	}
}

// LOCKS P3, SEMANTICS G2: while a rename takes the name of a file, nobody finds a moment in
// which the name has no file, or two.
func TestRenameLeavesNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "new")
		h.b.put("b", "old")
		x, y := h.open("a", "r+"), h.open("b", "r+")
		opened := make(chan *Handle)
		h.o.Changed = func(key string, i *store.Info) {
			if key != "a" || i != nil {
				return
			}
			// The rename has landed. Whoever opens the target now gets the file that moved.
			go func() { opened <- h.open("b", "r+") }()
			synctest.Wait()
		}
		if err := h.Rename(context.Background(), "a", "b", false, nil); err != nil {
			t.Fatal(err)
		}
		z := <-opened
		if z.f != x.f {
			t.Error("the name has two files")
		}
		h.write(x, "NEW", 0)
		h.write(y, "lost", 0)
		if err := errors.Join(h.close(z), h.close(y), h.close(x)); err != nil || h.b.get("b") != "NEW" {
			t.Errorf("%v, b is %q", err, h.b.get("b"))
		}
	})
}

// A rename or unlink that answers with an unknown outcome and lands later tells so, once.
func TestLateLandingIsTold(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(h *host, told func()) error
	}{
		{"unlink", func(h *host, told func()) error { return h.Unlink(context.Background(), "a", told) }},
		{"rename", func(h *host, told func()) error {
			return h.Rename(context.Background(), "a", "b", false, func(store.Base, store.Base) { told() })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				defer h.stop()
				h.b.put("a", "text")
				x := h.open("a", "r+")
				// The answer of the removal is lost, and the look that finds it is late.
				h.b.net.On("Delete").Do(faultstore.Fault{LoseReply: true, Hang: true})
				h.b.before("Head", "a", func() (f faultstore.Fault) {
					if h.b.Requests()["Delete"] > 0 {
						f.Delay = 9 * time.Second
					}
					return f
				})
				var told atomic.Int32
				if err := c.do(h, func() { told.Add(1) }); !errors.Is(err, store.ErrUnknownOutcome) || told.Load() != 0 {
					t.Errorf("%v, told %d times", err, told.Load())
				}
				time.Sleep(30 * time.Second)
				if told.Load() != 1 {
					t.Errorf("told %d times", told.Load())
				}
				if c.name == "rename" && x.Key() != "b" {
					t.Errorf("the handle has key %q", x.Key())
				}
				h.write(x, "TEXT", 0)
				if err := h.close(x); err != nil {
					t.Error(err)
				}
				if c.name == "rename" && h.b.get("b") != "TEXT" || h.b.get("a") != "-" {
					t.Errorf("a is %q, b is %q", h.b.get("a"), h.b.get("b"))
				}
			})
		})
	}
}

// An open(2) that Linux has repeated after an ErrStale is not repeated again: it finds what is
// there, also if the file that it has waited for loses its name.
func TestSecondTryIsNotStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		theirs := h.b.put("a", "theirs").Base()
		x.f.lockOp(t.Context())
		h.locks.lose("a")
		opened := make(chan error)
		var y *Handle
		go func() {
			var err error
			y, _, err = h.Open(t.Context(), OpenRequest{Key: "a", Read: true, Write: true, Known: &theirs, Again: true, Caller: caller})
			opened <- err
		}()
		synctest.Wait()
		x.f.unlockOp()
		if err := <-opened; err != nil {
			t.Fatalf("open: %v", err)
		}
		if got := h.read(y); got != "theirs" {
			t.Errorf("it reads %q", got)
		}
		y.Release()
		x.Release()
	})
}

// The second try of an open for reading shows the version that was just looked up, whose
// attributes the kernel has, although another one is there by now.
func TestSecondTryShowsWhatWasLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		known := h.b.put("a", "known").Base()
		h.b.put("a", "theirs")
		for _, want := range []string{"known", "theirs"} {
			x, _, err := h.Open(t.Context(), OpenRequest{Key: "a", Read: true, Known: &known, Again: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := h.read(x); got != want {
				t.Errorf("it reads %q, want %q", got, want)
			}
			x.Release()
			h.b.mem.Destroy("a", known.VersionID)
		}
	})
}
