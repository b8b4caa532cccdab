package lockmgr_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// Held says who has a lock now, whoever he is and whether he lives, and takes nothing.
func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		held := func(h *host, want bool) {
			t.Helper()
			if got, err := h.Held(t.Context(), "k"); got != want || err != nil {
				t.Errorf("held: %v, %v", got, err)
			}
		}
		held(b, false)
		l := r.acquire(a, "k", 0)
		held(a, true)
		held(b, true)
		l.Release()
		time.Sleep(time.Second)
		held(b, false)
		r.acquire(a, "k", 0)
		r.crash(a)
		time.Sleep(times.Lease + times.Delay)
		held(b, true)
		b.table.Partition(true)
		if _, err := b.Held(t.Context(), "k"); !errors.Is(err, lockmgr.ErrUnavailable) {
			t.Errorf("with the table out of reach: %v", err)
		}
		b.table.Partition(false)
		r.close(b)
	})
}
