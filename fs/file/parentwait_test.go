package file

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// LOCKS P2: whoever has the lease of the directory's name may never make a file of it. A close
// below waits for him, also for longer than an open would.
func TestCloseWaitsForTheDirectorysName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.o.LockTimeout = 10 * time.Second
		x := h.open("d/x", "c")
		h.write(x, "ours", 0)
		theirs, err := h.locks.Acquire(t.Context(), "d", 0)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(35*time.Second, theirs.Release)
		if err := h.close(x); err != nil || h.b.get("d/x") != "ours" {
			t.Errorf("close: %v, the bucket has %q", err, h.b.mem.Keys())
		}
	})
}

// whileKept closes a new file below what another host has made a file of, and runs do when its
// conflict file is sent: before what is under its name is taken back.
func whileKept(t *testing.T, do func(h *host)) *host {
	t.Helper()
	h := newHost(t, newBucket(), newLockTable())
	x := h.open("d/x", "c")
	h.write(x, "ours", 0)
	h.b.put("d", "theirs")
	h.b.net.Hook(func(op, key string, _ int) faultstore.Fault {
		if op == "Put" && strings.HasPrefix(key, "x.conflict-") {
			do(h)
		}
		return faultstore.Fault{}
	})
	if err := h.close(x); !errors.Is(err, ErrConflicted) {
		t.Errorf("close: %v", err)
	}
	return h
}

// Nobody on this host opens what is about to be taken back.
func TestOpenOfWhatIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := make(chan error, 1)
		h := whileKept(t, func(h *host) {
			go func() { _, err := h.tryOpen("d/x", "r+"); opened <- err }()
			time.Sleep(time.Second)
		})
		defer h.stop()
		if err := <-opened; !errors.Is(err, store.ErrNotFound) || len(h.b.like("d/")) > 0 {
			t.Errorf("open: %v, the bucket has %q", err, h.b.mem.Keys())
		}
	})
}

// A lease that is lost in this moment is taken again for it.
func TestTakenBackAfterALostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := whileKept(t, func(h *host) { h.locks.lose("d/x") })
		defer h.stop()
		time.Sleep(time.Minute)
		if len(h.b.like("d/")) > 0 {
			t.Errorf("the bucket has %q", h.b.mem.Keys())
		}
	})
}

// The answer to the removal of a marker is lost, and something is inside: whether the directory is
// gone is not told before that was looked at.
func TestRmdirWithALostAnswerLooksInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		if _, err := h.Mkdir(t.Context(), "d/", 0o700, 0, 0); err != nil {
			t.Fatal(err)
		}
		h.b.before("Delete", "d/", func() faultstore.Fault {
			h.b.put("d/x", "theirs")
			return faultstore.Fault{LoseReply: true}
		})
		told := false
		err := h.Rmdir(context.Background(), "d/", func() { told = true })
		time.Sleep(3 * time.Minute)
		if err == nil || told || store.ReadPosix(h.b.info("d/").Props.Meta).Mode&0o777 != 0o700 {
			t.Errorf("rmdir: %v, told %v, the bucket has %q", err, told, h.b.mem.Keys())
		}
	})
}

// A program that has opened what is taken back under a new lease learns that it writes in vain, and
// what it wrote is kept whole, also where no version keeps what it grew from.
func TestTakenBackWhileItIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, bucketOf(memstore.Options{}), newLockTable())
		defer h.stop()
		h.b.before("Head", "d", func() faultstore.Fault {
			if h.b.get("d/x") != "-" && h.b.get("d") == "-" {
				h.b.put("d", "theirs")
				h.cutOff("d/x")
			}
			return faultstore.Fault{}
		})
		if _, err := h.Symlink(context.Background(), SymlinkRequest{Key: "d/x", Target: "target"}); !errors.Is(err, ErrNotDir) {
			t.Errorf("symlink: %v", err)
		}
		synctest.Wait() // it cannot have the lease yet
		h.healLocks()
		x := h.open("d/x", "r+")
		h.write(x, " and more", 6)
		time.Sleep(time.Minute)
		if _, err := x.Write([]byte("in vain"), 0); !errors.Is(err, ErrConflicted) {
			t.Errorf("write: %v", err)
		}
		if err := h.close(x); !errors.Is(err, ErrConflicted) {
			t.Errorf("close: %v", err)
		}
		kept := h.b.like("x.conflict-")
		if len(h.b.like("d/")) > 0 || len(kept) != 1 || h.b.get(kept[0]) != "target and more" {
			t.Errorf("the bucket has %q", h.b.mem.Keys())
		}
	})
}
