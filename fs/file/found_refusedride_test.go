package file

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store/faultstore"
)

// A change by name can come into one seal with what a release has to save, and the bucket
// refuses that seal. It stays in the spool, and a recovery makes all of it: whoever asked for the change
// must not be told that it has not happened.
func TestChangeByNameInARefusedSeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "more", 4)
		h.b.before("Put", "a", func() faultstore.Fault { return refusal })
		f := x.f
		f.op <- struct{}{}
		x.Release()
		mode, changed := uint32(0o600), make(chan error)
		go func() { _, err := h.SetAttr(t.Context(), "a", Change{Mode: &mode}); changed <- err }()
		synctest.Wait()
		f.unlockOp()
		err := <-changed
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.recover(h)
		got := AttrOf(h.b.info("a"), n.o.Defaults)
		if h.b.get("a") != "basemore" || got.Mode&modePerm != mode {
			t.Fatalf("after the recovery a is %q, mode %o", h.b.get("a"), got.Mode)
		}
		if !errors.Is(err, ErrUnsaved) {
			t.Errorf("the change, which a recovery has made: %v", err)
		}
	})
}
