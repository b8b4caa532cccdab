package file

import (
	"errors"
	"testing"
	"testing/synctest"
)

// LOCKS P5: never a 0 for what replaced somebody else's work. A program that does not look at the
// answer of fsync learns it from close, as it does of every other conflict; so does each of those
// whose bytes were in that version.
func TestOverwritingIsToldAtEachClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x, y := h.open("a", "r+"), h.open("a", "r+")
		h.write(x, "ours", 0)
		h.write(y, " too", 4)
		h.cutOff("a")
		h.b.once("Put", "a", func() { h.b.put("a", "base") })
		for _, call := range []struct {
			name string
			do   func() error
		}{
			{"fsync", func() error { return x.Sync(t.Context()) }},
			{"close of a copy of the descriptor", func() error { return x.Flush(t.Context(), caller) }},
			{"close", func() error { return h.close(x) }},
			{"first close of the other", func() error { return y.Flush(t.Context(), caller) }},
			{"close of the other", func() error { return h.close(y) }},
		} {
			conflict, ok := errors.AsType[*ConflictError](call.do())
			if !ok || conflict.Over == "" {
				t.Errorf("%s: %v", call.name, conflict)
			}
		}
		if got := h.b.get("a"); got != "ours too" {
			t.Errorf("a is %q", got)
		}
	})
}
