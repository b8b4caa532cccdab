package file

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/store"
)

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x, y := h.open("open", "c"), h.open("closing", "c")
		h.write(x, "open", 0)
		h.write(y, "closing", 0)
		h.b.net.On("Put").Delay(9 * time.Second)
		go h.close(y)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		left, err := h.Shutdown(ctx)
		if err != nil || len(left) != 1 || left[0].Key != "open" || left[0].Bytes != 4 || left[0].Unanswered {
			t.Errorf("left %+v, %v", left, err)
		}
		if h.b.get("closing") != "closing" || h.b.get("open") != "-" {
			t.Errorf("bucket: %q, %q", h.b.get("closing"), h.b.get("open"))
		}
		if _, err := h.tryOpen("a", "c"); !errors.Is(err, ErrClosed) {
			t.Errorf("open after the shutdown: %v", err)
		}
		if h.locks.holds("open") || h.locks.holds("closing") {
			t.Error("leases are left")
		}
	})
}

// A request that may still land keeps its lease past the shutdown.
func TestShutdownUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x := h.open("a", "c")
		h.write(x, "text", 0)
		h.b.hang(false)
		go h.close(x)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		left, err := h.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || len(left) != 1 || !left[0].Unanswered {
			t.Errorf("left %+v, %v", left, err)
		}
		if !h.locks.holds("a") {
			t.Error("the lease was released")
		}
	})
}

// So does a change of names: whoever ends the lock session has to know of each name that the
// request may still change.
func TestShutdownUnansweredNames(t *testing.T) {
	for what, change := range map[string]struct {
		do   func(h *host) error
		keys string
	}{
		"unlink": {func(h *host) error { return h.Unlink(context.Background(), "a", nil) }, "a"},
		"rename": {func(h *host) error { return h.Rename(context.Background(), "a", "b", false, nil) }, "a b"},
		"mkdir":  {func(h *host) error { _, err := h.Mkdir(context.Background(), "d/", 0o755, 0, 0); return err }, "d/"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				h.b.put("a", "text")
				h.b.hang(false)
				if err := change.do(h); !errors.Is(err, store.ErrUnknownOutcome) {
					t.Fatalf("%s: %v", what, err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				left, err := h.Shutdown(ctx)
				var keys []string
				for _, l := range left {
					if l.Unanswered {
						keys = append(keys, l.Key)
					}
				}
				if !errors.Is(err, context.DeadlineExceeded) || strings.Join(keys, " ") != change.keys {
					t.Errorf("left %+v, %v", left, err)
				}
				for _, key := range keys {
					if !h.locks.holds(lease.Name(key)) {
						t.Errorf("the lease of %q was released", key)
					}
				}
			})
		})
	}
}

// A table that has ended accepts nothing: its spool may be removed at any moment.
func TestNothingAcceptedAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.put("a", "base")
		x := h.open("a", "r+")
		if left, err := h.Shutdown(context.Background()); err != nil || len(left) != 0 {
			t.Fatalf("left %+v, %v", left, err)
		}
		if n, err := x.Write([]byte("late"), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("a write after the shutdown: %d, %v", n, err)
		}
		size := int64(1)
		if _, err := x.SetAttr(context.Background(), Change{Size: &size}); !errors.Is(err, ErrClosed) {
			t.Errorf("a truncation after the shutdown: %v", err)
		}
	})
}
