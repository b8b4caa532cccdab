package file

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// LOCKS P2, P4.2: "n" and "n/" are one name. While a request that may make the one can still
// land, although whoever asked for it was answered, nobody makes the other, on the same host
// neither.
func TestLateNameKeepsBoth(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name, op string
		first    func(h *host) error
		second   func(h *host) error
	}{
		{"rename, then mkdir", "Copy",
			func(h *host) error { h.b.put("from", "x"); return h.Rename(ctx, "from", "n", false, nil) },
			func(h *host) error { _, err := h.Mkdir(ctx, "n/", 0o755, 0, 0); return err }},
		{"symlink, then mkdir", "Put",
			func(h *host) error { _, err := h.Symlink(ctx, SymlinkRequest{Key: "n", Target: "target"}); return err },
			func(h *host) error { _, err := h.Mkdir(ctx, "n/", 0o755, 0, 0); return err }},
		{"mkdir, then create", "Put",
			func(h *host) error { _, err := h.Mkdir(ctx, "n/", 0o755, 0, 0); return err },
			func(h *host) error { _, err := h.tryOpen("n", "c"); return err }},
	} {
		for _, fault := range []faultstore.Fault{{Late: 10 * time.Second}, {Hang: true, Late: 10 * time.Second}} {
			lateName(t, c.name, c.op, fault, c.first, c.second)
		}
	}
}

func lateName(t *testing.T, name, op string, fault faultstore.Fault, first, second func(h *host) error) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			defer h.stop()
			h.b.net.On(op).Nth(1).Do(fault)
			if err := first(h); !errors.Is(err, store.ErrUnknownOutcome) {
				t.Fatalf("the first: %v", err)
			}
			err := second(h)
			if _, held := errors.AsType[*lockmgr.HeldError](err); !held {
				t.Errorf("the second: %v", err)
			}
			time.Sleep(time.Minute)
			if h.b.get("n") != "-" && h.b.get("n/") != "-" {
				t.Errorf("n is %q, n/ is %q", h.b.get("n"), h.b.get("n/"))
			}
			// When it is over the name is free for whoever may have it.
			if err := second(h); !errors.Is(err, fs.ErrExist) {
				t.Errorf("later: %v", err)
			}
		})
	})
}
