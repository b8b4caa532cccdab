package file

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store/faultstore"
)

// A change by name waits behind what was written, which the bucket refuses. What was
// to be saved stays in the spool with the change, and a recovery makes both: whoever asked for the
// change must not be told that it has not happened.
func TestChangeByNameBehindARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "more", 4)
		refuse, changed := make(chan struct{}), make(chan error)
		h.b.before("Put", "a", func() faultstore.Fault { <-refuse; return refusal })
		x.Release()
		synctest.Wait()
		mode := uint32(0o600)
		go func() { _, err := h.SetAttr(t.Context(), "a", Change{Mode: &mode}); changed <- err }()
		synctest.Wait()
		close(refuse)
		err := <-changed
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.recover(h)
		got := AttrOf(h.b.info("a"), n.o.Defaults)
		if h.b.get("a") != "basemore" || got.Mode&modePerm == mode && !errors.Is(err, ErrUnsaved) {
			t.Errorf("the change: %v, and after the recovery a is %q, mode %o", err, h.b.get("a"), got.Mode)
		}
	})
}
