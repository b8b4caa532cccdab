package lockmgr_test

import (
	"errors"
	"strings"
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

// Holder names who has a lock, as an error that it could not be had does.
func TestHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a", func(o *lockmgr.Options) { o.User, o.PID = "alice", 7 }), r.host("b")
		holder := func(h *host) lockmgr.Holder {
			t.Helper()
			got, err := h.Holder(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := holder(b); got != (lockmgr.Holder{}) || got.String() != "nobody" {
			t.Errorf("a free lock is held by %+v", got)
		}
		l := r.acquire(a, "k", 0)
		since := time.Now()
		if got := holder(a); !got.Own || got.Host != "a" {
			t.Errorf("its own lock: %+v", got)
		}
		want := "a (alice, pid 7) since " + since.UTC().Format(time.RFC3339)
		if got := holder(b); got.Own || got.String() != want {
			t.Errorf("held by %s, want %s", got, want)
		}
		_, err := b.Acquire(t.Context(), "k", time.Second)
		if held, ok := errors.AsType[*lockmgr.HeldError](err); !ok || held.User != "alice" || held.PID != 7 || !strings.Contains(err.Error(), want) {
			t.Errorf("acquire: %v, want an error with %q", err, want)
		}
		b.table.Partition(true)
		if _, err := b.Holder(t.Context(), "k"); !errors.Is(err, lockmgr.ErrUnavailable) {
			t.Errorf("with the table out of reach: %v", err)
		}
		b.table.Partition(false)
		l.Release()
		r.close(a)
		r.close(b)
		if _, err := b.Holder(t.Context(), "k"); !errors.Is(err, lockmgr.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}
