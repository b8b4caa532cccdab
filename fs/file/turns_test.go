package file

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// SEMANTICS G4: a second host waits for the first one's last close, and sees its content.
func TestTwoHostsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(), newLockTable()
		one, two := newHost(t, b, l), newHost(t, b, l)
		defer one.stop()
		defer two.stop()
		b.put("a", "0")
		x := one.open("a", "r+")
		one.write(x, "1", 0)
		opened := make(chan *Handle)
		go func() { opened <- two.open("a", "r+") }()
		time.Sleep(time.Second)
		select {
		case <-opened:
			t.Fatal("opened for write on two hosts")
		default:
		}
		if err := one.close(x); err != nil {
			t.Fatal(err)
		}
		y := <-opened
		if got := two.read(y); got != "1" {
			t.Errorf("the second host reads %q", got)
		}
		two.close(y)
	})
}

func TestLockTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(), newLockTable()
		one, two := newHost(t, b, l), newHost(t, b, l)
		defer one.stop()
		defer two.stop()
		b.put("a", "0")
		x := one.open("a", "r+")
		ctx := context.Background()
		for _, c := range []struct {
			name string
			want time.Duration
			do   func() error
		}{
			{"open", 100 * time.Second, func() error {
				_, _, err := two.Open(ctx, OpenRequest{Key: "a", Write: true})
				return err
			}},
			{"open with O_NONBLOCK", 2 * time.Second, func() error {
				_, _, err := two.Open(ctx, OpenRequest{Key: "a", Write: true, NonBlock: true})
				return err
			}},
			{"create", time.Second, func() error { _, err := two.tryOpen("a", "c"); return err }},
			{"unlink", time.Second, func() error { return two.Unlink(ctx, "a", nil) }},
			{"rename", time.Second, func() error { return two.Rename(ctx, "a", "b", false, nil) }},
			{"rename over", time.Second, func() error { b.put("c", "x"); return two.Rename(ctx, "c", "a", false, nil) }},
			{"symlink", time.Second, func() error { _, err := two.Symlink(ctx, SymlinkRequest{Key: "a", Target: "t"}); return err }},
		} {
			began := time.Now()
			err := c.do()
			var held *lockmgr.HeldError
			if !errors.As(err, &held) || time.Since(began) != c.want {
				t.Errorf("%s: %v after %v, want a HeldError after %v", c.name, err, time.Since(began), c.want)
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		if _, _, err := two.Open(ctx, OpenRequest{Key: "a", Write: true}); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted open: %v", err)
		}
		one.close(x)
		synctest.Wait()
		if len(two.files) != 0 || l.holds("a") || l.holds("b") || l.holds("c") {
			t.Errorf("left: %v", two.files)
		}
	})
}

// The lease of an open that answered ErrStale is kept for the kernel's second try, for a
// moment even if somebody wants it.
func TestStaleKeepsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		old := h.b.put("a", "old").Base()
		now := h.b.put("a", "new").Base()
		ctx := context.Background()
		if _, _, err := h.Open(ctx, OpenRequest{Key: "a", Write: true, Known: &old}); !errors.Is(err, ErrStale) {
			t.Fatalf("open: %v", err)
		}
		if !h.locks.holds("a") {
			t.Error("the lease was not kept")
		}
		x, a, err := h.Open(ctx, OpenRequest{Key: "a", Write: true, Known: &now, Caller: caller})
		if err != nil || a.Base != now || h.locks.acquired["a"] != 1 {
			t.Errorf("second try: %+v, %v, %d leases", a, err, h.locks.acquired["a"])
		}
		h.close(x)
		synctest.Wait()
		if h.locks.holds("a") {
			t.Error("held after the close")
		}
		if _, _, err := h.Open(ctx, OpenRequest{Key: "a", Write: true, Known: &old}); !errors.Is(err, ErrStale) {
			t.Fatalf("open: %v", err)
		}
		if l, err := h.locks.Acquire(ctx, "a", 0); err == nil {
			t.Error("an idle lease was given away without a wish")
			l.Release()
		}
		synctest.Wait()
		if !h.locks.holds("a") {
			t.Error("the lease was given away before the second try")
		}
		time.Sleep(staleLinger)
		synctest.Wait()
		if h.locks.holds("a") {
			t.Error("an idle lease that is wanted was kept")
		}
		if _, _, err := h.Open(ctx, OpenRequest{Key: "a", Read: true, Known: &old}); !errors.Is(err, ErrStale) {
			t.Errorf("open for reading: %v", err)
		}
		listed := store.Base{ETag: now.ETag, LastModified: now.LastModified}
		r, _, err := h.Open(ctx, OpenRequest{Key: "a", Read: true, Known: &listed})
		if err != nil {
			t.Fatalf("known from a listing: %v", err)
		}
		h.close(r)
	})
}

// So is that of a name that was found to be something else, for what its caller tries then.
func TestLookKeepsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("n/x", "theirs")
		if _, err := h.tryOpen("n", "c"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create: %v", err)
		}
		if err := h.Rmdir(t.Context(), "n/", nil); !errors.Is(err, ErrNotEmpty) || h.locks.acquired["n"] != 1 {
			t.Errorf("rmdir: %v, %d leases", err, h.locks.acquired["n"])
		}
		time.Sleep(staleLinger)
		synctest.Wait()
		if h.locks.holds("n") {
			t.Error("still held")
		}
	})
}

// LOCKS P2, mail: a wanted lease makes new local opens wait, up to a second, for the
// present ones to end.
func TestWantedLeaseGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(), newLockTable()
		one, two := newHost(t, b, l), newHost(t, b, l)
		defer one.stop()
		defer two.stop()
		b.put("a", "0")
		x := one.open("a", "r+")
		order := make(chan string, 2)
		for _, h := range []*host{two, one} {
			go func() {
				y := h.open("a", "r+")
				order <- "opened"
				h.close(y)
			}()
			synctest.Wait()
		}
		time.Sleep(lease.GateWait / 2)
		if len(order) > 0 {
			t.Error("a local open did not wait for the wish of the other host")
		}
		one.close(x)
		<-order
		<-order
		// exec 5>>f; echo >>f: the first descriptor stays open, and the second open goes on.
		x = one.open("a", "a")
		go func() {
			y := two.open("a", "r+")
			two.close(y)
			order <- "opened"
		}()
		synctest.Wait()
		began := time.Now()
		y := one.open("a", "a")
		if d := time.Since(began); d != lease.GateWait {
			t.Errorf("the second local open took %v", d)
		}
		one.close(y)
		one.close(x)
		<-order
	})
}
