package file

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/store"
)

// A close past the flush timeout answers ErrUnsaved, the work goes on with the lease held,
// and every other handle that was open then is told (I8).
func TestFlushTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		end := h.b.outage()
		x, y := h.open("a", "c"), (*Handle)(nil)
		h.write(x, "text", 0)
		y = h.open("a", "r+")
		began := time.Now()
		if err := h.close(x); !errors.Is(err, ErrUnsaved) {
			t.Fatalf("close: %v", err)
		}
		// The time counts from the first request without an answer, which ends after 10 s.
		if d := time.Since(began); d != 90*time.Second {
			t.Errorf("close answered after %v", d)
		}
		if !h.synced() {
			t.Error("EIO was answered for bytes that a power cut can take (SEMANTICS G5)")
		}
		if !h.locks.holds("a") {
			t.Error("the lease was released with the outcome unknown")
		}
		h.process(9, fd(5)) // another process defers, and is told all the same
		if err := y.Flush(context.Background(), Caller{PID: 9, Dev: 45, Ino: 5}); !errors.Is(err, ErrUnsaved) {
			t.Errorf("deferred close of the other handle: %v", err)
		}
		end()
		time.Sleep(2 * time.Minute)
		if h.b.get("a") != "text" {
			t.Errorf("the work did not go on: %q", h.b.get("a"))
		}
		if err := h.close(y); err != nil {
			t.Errorf("close after it was saved: %v", err)
		}
		synctest.Wait()
		if h.b.versions("a") != 1 || h.locks.holds("a") {
			t.Errorf("%d versions, lease held: %v", h.b.versions("a"), h.locks.holds("a"))
		}
	})
}

// synced tells whether the only file in the spool is on the disk, by what its journal says.
func (h *host) synced() bool {
	h.t.Helper()
	journals, err := filepath.Glob(filepath.Join(h.dir, "f-*", "journal"))
	if err != nil || len(journals) != 1 {
		h.t.Fatalf("journals %q, %v", journals, err)
	}
	text, err := os.ReadFile(journals[0])
	if err != nil {
		h.t.Fatal(err)
	}
	seal, sync := strings.LastIndex(string(text), `"Props":`), strings.LastIndex(string(text), `"Upto":`)
	return seal >= 0 && sync > seal
}

// Progress of the upload resets the flush timeout.
func TestProgressResetsFlushTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.o.FlushTimeout = 12 * time.Second
		for _, op := range []string{"UploadPart", "CompleteUpload"} {
			h.b.net.On(op).Delay(9 * time.Second)
		}
		x := h.open("a", "c")
		h.write(x, strings.Repeat("large", store.PartSize/4), 0)
		began := time.Now()
		if err := h.close(x); err != nil || time.Since(began) != 18*time.Second {
			t.Errorf("close: %v after %v", err, time.Since(began))
		}
	})
}

// What is written while a commit runs is not in it, and is committed by the next one.
func TestWriteDuringCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("a", "c")
		h.write(x, "first", 0)
		sending, go_ := make(chan struct{}), make(chan struct{})
		h.b.once("Put", "a", func() {
			close(sending)
			<-go_
		})
		synced := make(chan error)
		go func() { synced <- x.Sync(context.Background()) }()
		<-sending
		h.write(x, "FI", 0)
		close(go_)
		if err := <-synced; err != nil {
			t.Fatal(err)
		}
		if h.b.get("a") != "first" {
			t.Errorf("fsync saved %q", h.b.get("a"))
		}
		if err := h.close(x); err != nil {
			t.Fatal(err)
		}
		if h.b.get("a") != "FIrst" || h.b.versions("a") != 2 {
			t.Errorf("%q in %d versions", h.b.get("a"), h.b.versions("a"))
		}
	})
}

// A commit that failed without a version leaves everything to the next one, which is tried as
// soon as a close asks.
func TestCommitAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "B", 0)
		mode := uint32(0o600)
		if _, err := x.SetAttr(context.Background(), Change{Mode: &mode}); err != nil {
			t.Fatal(err)
		}
		h.b.net.On("Get").Fail(store.Unsent, errDial) // the rest of the base cannot be read
		if err := x.Sync(context.Background()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("fsync: %v", err)
		}
		h.b.net.Heal()
		began := time.Now()
		if err := h.close(x); err != nil || time.Since(began) != 0 {
			t.Fatalf("close: %v after %v", err, time.Since(began))
		}
		i, err := h.b.Head(context.Background(), "a", "")
		if err != nil || h.b.get("a") != "Base" || AttrOf(i, h.o.Defaults).Mode != ModeRegular|0o600 {
			t.Errorf("%q, %+v, %v", h.b.get("a"), i, err)
		}
	})
}

// A handle that was not told yet of a commit that took too long need not be, once it is in
// the bucket.
func TestUnsavedIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("a", "c")
		h.write(x, "text", 0)
		y := h.open("a", "r+")
		time.AfterFunc(2*time.Minute, h.b.outage())
		if err := h.close(x); !errors.Is(err, ErrUnsaved) {
			t.Errorf("close: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if err := h.close(y); err != nil {
			t.Errorf("close after it was saved: %v", err)
		}
	})
}

// While the outcome of a commit is unknown for good no other write id is journalled.
func TestNoSecondSealOverAnUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x := h.open("a", "c")
		h.write(x, "text", 0)
		h.b.hang(true)
		go x.Sync(context.Background())
		synctest.Wait()
		h.stop()
		if err := x.Sync(context.Background()); !errors.Is(err, store.ErrUnknownOutcome) {
			t.Errorf("fsync: %v", err)
		}
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.recover(h)
		if keys := h.b.like(""); len(keys) != 1 || h.b.versions("a") != 1 {
			t.Errorf("recovered to %v, %d versions", keys, h.b.versions("a"))
		}
	})
}

// RELEASE commits what no FLUSH did, and only then releases the lease.
func TestReleaseFinishesLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("a", "c")
		h.write(x, "mapped", 0)
		h.b.once("Put", "a", func() {
			if !h.locks.holds("a") {
				t.Error("sent without the lease")
			}
		})
		x.Release()
		synctest.Wait()
		if h.b.get("a") != "mapped" || h.locks.holds("a") {
			t.Errorf("%q, lease held: %v", h.b.get("a"), h.locks.holds("a"))
		}
		if _, err := x.Write([]byte("x"), 0); !errors.Is(err, ErrBadHandle) {
			t.Errorf("write after release: %v", err)
		}
	})
}

// unlink and the like answer a second after the outcome became unknown; what settles it
// goes on with the lease held, and sends nothing more.
func TestUnlinkUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "x")
		h.b.net.On("Delete").Nth(1).Fail(store.Unknown, errReset)
		began := time.Now()
		if err := h.Unlink(context.Background(), "a", nil); !errors.Is(err, store.ErrUnknownOutcome) || time.Since(began) != time.Second {
			t.Errorf("unlink: %v after %v", err, time.Since(began))
		}
		if !h.locks.holds("a") {
			t.Error("the lease was released with the outcome unknown")
		}
		if _, err := h.tryOpen("a", "c"); err == nil {
			t.Error("create under an unknown unlink")
		}
		time.Sleep(time.Minute)
		if h.locks.holds("a") || h.b.get("a") != "x" || h.b.Requests()["Delete"] != 1 {
			t.Errorf("after it settled: lease %v, %q, %d requests", h.locks.holds("a"), h.b.get("a"), h.b.Requests()["Delete"])
		}
	})
}

// A file that was closed and cannot be saved is tried again and again, and spoken of once in
// a while.
func TestLastingFailureIsSaidSometimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		d := newPlatter().disk()
		h.restart(spool.Options{FS: d})
		var log bytes.Buffer
		h.logTo(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
		tries := 0
		d.failing(func(label string) error {
			if label != "read data" {
				return nil
			}
			tries++
			return unix.EIO
		})
		x := h.open("a", "c")
		h.write(x, "text", 0)
		x.Release()                               // without a close that was told
		time.Sleep(2*seldom.Every + retryPause/2) // between two tries
		synctest.Wait()
		if n := strings.Count(log.String(), "\n"); n != 3 || !strings.Contains(log.String(), "times=") {
			t.Errorf("%d lines in two minutes:\n%s", n, log.String())
		}
		d.failing(nil)
		if tries < 20 {
			t.Errorf("tried %d times", tries)
		}
		time.Sleep(2 * time.Second)
		if got := h.b.get("a"); got != "text" {
			t.Errorf("the bucket has %q", got)
		}
	})
}
