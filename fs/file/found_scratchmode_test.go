package file

import (
	"testing"
	"testing/synctest"
)

// LOCKS P6: kept files have the mode that the file had here, also those of a file whose name was
// taken away while it was open, and which was never saved.
func TestKeptScratchFileIsPrivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x := h.open("a", "c")
		if err := h.Unlink(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		h.write(x, "secret", 0)
		h.died()
		h.b.put("a", "another file") // so that the recovery cannot tell that it was unlinked
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.recover(h)
		for _, key := range h.b.like(".recovered-") {
			if a := AttrOf(h.b.info(key), h.o.Defaults); a.Mode != ModeRegular|0o640 || a.UID != 7 {
				t.Errorf("%s: mode %o, owner %d", key, a.Mode, a.UID)
			}
		}
	})
}
