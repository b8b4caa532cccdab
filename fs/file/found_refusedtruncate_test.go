package file

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
)

// A change by name that the bucket refuses has not happened: who has the file open for reading
// goes on reading what is in the bucket.
func TestRefusedTruncationIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "0123456789")
		r := h.open("a", "r")
		h.b.refuse()
		size, mode := int64(4), uint32(0o600)
		for _, c := range []Change{{Size: &size}, {Mode: &mode}} {
			if _, err := h.SetAttr(t.Context(), "a", c); !errors.Is(err, store.ErrAccessDenied) {
				t.Errorf("change: %v", err)
			}
			if got := h.read(r); got != "0123456789" {
				t.Errorf("it reads %q", got)
			}
			if a := r.Attr(); a.Size != 10 || a.Mode != ModeRegular|0o644 {
				t.Errorf("it has %+v", a)
			}
		}
		h.close(r)
	})
}
