package file

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
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
		h.locks.steal("a")
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

// The same without any commit: the next write fails already.
func TestLostLeaseHeldByAnotherIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.locks.steal("a")
		time.Sleep(2 * relockWait)
		if _, err := x.Write([]byte("more"), 0); !errors.Is(err, ErrConflicted) {
			t.Errorf("write: %v", err)
		}
		if kept := h.b.like("a.conflict-"); len(kept) != 1 || h.b.get(kept[0]) != "ours" {
			t.Errorf("kept %v", kept)
		}
		x.Release()
	})
}

// The same in the middle of a commit, which finds it before the watcher of the file does.
func TestLostLeaseHeldByAnotherWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.b.before("Put", "a", func() faultstore.Fault {
			h.locks.steal("a")
			return faultstore.Fault{Err: &store.AttemptError{Fate: store.Unsent, Err: errDial}}
		})
		if err := x.Sync(t.Context()); !errors.Is(err, ErrConflicted) {
			t.Errorf("fsync: %v", err)
		}
		if kept := h.b.like("a.conflict-"); h.b.get("a") != "base" || len(kept) != 1 {
			t.Errorf("a is %q, kept %v", h.b.get("a"), kept)
		}
		x.Release()
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

// A change by name goes with the next commit of who has the file open for write. If there will be none, since the
// file is another host's by now, the close of who had it open says so, though nothing was written through
// it: nobody else can. It says so once.
func TestLostLeaseWithAChangeByName(t *testing.T) {
	for _, changed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			defer h.stop()
			h.b.put("a", "base")
			x, r := h.open("a", "r+"), h.open("a", "r")
			if mode := uint32(0o606); changed {
				if _, err := h.SetAttr(t.Context(), "a", Change{Mode: &mode}); err != nil {
					t.Fatal(err)
				}
			}
			h.b.put("a", "theirs")
			h.locks.lose("a")
			synctest.Wait()
			if err := x.Flush(t.Context(), Caller{}); errors.Is(err, ErrConflicted) != changed || !changed && err != nil {
				t.Errorf("changed %v: close: %v", changed, err)
			}
			for _, again := range []*Handle{x, r} {
				if err := h.close(again); err != nil {
					t.Errorf("changed %v: a second close, or that of a reader: %v", changed, err)
				}
			}
			if kept := h.b.like(".conflict-"); len(kept) > 0 || h.b.get("a") != "theirs" {
				t.Errorf("kept %v, name %q", kept, h.b.get("a"))
			}
		})
	}
}
