package file

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// LOCKS P5: the session was lost and nobody else came: the commit goes on under a new
// lease.
func TestLostLeaseTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.locks.lose("a")
		if err := h.close(x); err != nil || h.b.get("a") != "ours" {
			t.Errorf("close: %v, %q", err, h.b.get("a"))
		}
		synctest.Wait()
		if h.locks.holds("a") {
			t.Error("the new lease is still held")
		}
	})
}

// The base changed while the lease was lost: the next write already fails, and the bytes
// accepted before become a conflict file.
func TestLostLeaseBaseChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.b.put("a", "theirs")
		h.locks.lose("a")
		synctest.Wait()
		if _, err := x.Write([]byte("more"), 0); !errors.Is(err, ErrConflicted) {
			t.Errorf("write: %v", err)
		}
		if err := h.close(x); !errors.Is(err, ErrConflicted) {
			t.Errorf("close: %v", err)
		}
		kept := h.b.like(".conflict-")
		if len(kept) != 1 || h.b.get(kept[0]) != "ours" || h.b.get("a") != "theirs" {
			t.Errorf("kept %v, name %q", kept, h.b.get("a"))
		}
	})
}

// The same bytes were put back while the lease was lost: the version id tells.
func TestLostLeaseSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.b.put("a", "theirs")
		h.b.put("a", "base")
		h.locks.lose("a")
		if err := h.close(x); !errors.Is(err, ErrConflicted) {
			t.Errorf("close: %v", err)
		}
	})
}

// The same when the loss was noticed, and the lease taken again, before the commit: a valid
// lease does not make the base ours again.
func TestLostLeaseSameBytesNoticedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.b.put("a", "theirs")
		h.b.put("a", "base")
		h.locks.lose("a")
		synctest.Wait()
		if err := h.close(x); !errors.Is(err, ErrConflicted) {
			t.Errorf("close: %v", err)
		}
		if kept := h.b.like(".conflict-"); h.b.get("a") != "base" || len(kept) != 1 || h.b.get(kept[0]) != "ours" {
			t.Errorf("name %q, kept %v", h.b.get("a"), kept)
		}
	})
}

// Another session holds the key: nothing is sent, since it would make the rightful holder
// fail.
func TestLostLeaseHeldByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.locks.mu.Lock()
		mine := h.locks.held["a"]
		theirs := &testLease{l: h.locks, key: "a", lost: make(chan struct{}), wanted: make(chan struct{})}
		mine.isLost = true
		h.locks.held["a"] = theirs
		close(mine.lost)
		h.locks.mu.Unlock()
		if err := h.close(x); !errors.Is(err, ErrConflicted) {
			t.Errorf("close: %v", err)
		}
		if h.b.get("a") != "base" || len(h.b.like(".conflict-")) != 1 {
			t.Errorf("name %q, kept %v", h.b.get("a"), h.b.like(".conflict-"))
		}
		if !h.locks.holds("a") {
			t.Error("the other's lease is gone")
		}
	})
}

// The lock table is out of reach: one attempt without a lease; if its outcome is unknown
// nothing is sent again until the table is back.
func TestLostLeaseTableDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.locks.mu.Lock()
		h.locks.down = true
		h.locks.mu.Unlock()
		h.locks.lose("a")
		h.b.net.On("Put").Nth(1).Fail(store.Unknown, errReset) // the base is found unchanged later
		done := make(chan error)
		go func() { done <- h.close(x) }()
		time.Sleep(70 * time.Second)
		if n := h.b.Requests()["Put"]; n != 1 {
			t.Errorf("%d attempts without a lease", n)
		}
		h.locks.mu.Lock()
		h.locks.down = false
		h.locks.mu.Unlock()
		if err := <-done; err != nil || h.b.get("a") != "ours" {
			t.Errorf("close: %v, %q", err, h.b.get("a"))
		}
	})
}

// A lease that is not proved valid for a while is waited for.
func TestExpiredLeaseRevives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("a", "c")
		h.write(x, "text", 0)
		expire := func(v bool) {
			h.locks.mu.Lock()
			defer h.locks.mu.Unlock()
			h.locks.held["a"].expired = v
		}
		expire(true)
		done := make(chan error)
		go func() { done <- h.close(x) }()
		time.Sleep(30 * time.Second)
		if h.b.count("Put") != 0 {
			t.Error("sent under a lease that is not valid")
		}
		expire(false)
		if err := <-done; err != nil || h.b.get("a") != "text" {
			t.Errorf("close: %v, %q", err, h.b.get("a"))
		}
	})
}

// LOCKS P7, lock table unreachable for long: one attempt is made without a proof of the
// lease, early enough to tell the caller.
func TestExpiredLeaseSingleAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x, y := h.open("a", "r+"), h.open("b", "c")
		h.write(x, "ours", 0)
		h.write(y, "ours", 0)
		h.b.put("b", "theirs")
		h.locks.mu.Lock()
		h.locks.held["a"].expired, h.locks.held["b"].expired = true, true
		h.locks.mu.Unlock()
		began := time.Now()
		if err := h.close(x); err != nil || h.b.get("a") != "ours" {
			t.Errorf("close: %v, %q", err, h.b.get("a"))
		}
		if d := time.Since(began); d >= h.o.FlushTimeout {
			t.Errorf("close took %v", d)
		}
		if err := h.close(y); !errors.Is(err, ErrConflicted) || h.b.get("b") != "theirs" || len(h.b.like("b.conflict-")) != 1 {
			t.Errorf("close over a foreign version: %v, %v", err, h.b.like("b"))
		}
	})
}

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
			{"symlink", time.Second, func() error { _, err := two.Symlink(ctx, "a", "t", 0, 0); return err }},
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
