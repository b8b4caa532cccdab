package file

import (
	"errors"
	"testing"
	"testing/synctest"
)

// LOCKS P5: there is no conflict file for an empty file that was only created. One that a close
// was to save with bytes and that was emptied then was more than that, whoever finds the conflict:
// the drain, or the recovery of a mount that died.
func TestEmptiedFileIsKept(t *testing.T) {
	for _, dies := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			x := h.open("a", "c")
			h.write(x, "ours", 0)
			end := h.b.outage()
			if err := x.Sync(t.Context()); !errors.Is(err, ErrUnsaved) {
				t.Fatalf("fsync: %v", err)
			}
			size := int64(0)
			if _, err := x.SetAttr(t.Context(), Change{Size: &size}); err != nil {
				t.Fatal(err)
			}
			if err := x.Sync(t.Context()); !errors.Is(err, ErrUnsaved) {
				t.Fatalf("fsync: %v", err)
			}
			if dies {
				h.died()
				h.b.put("a", "theirs")
				n := newHost(t, h.b, h.locks)
				defer n.stop()
				n.recover(h)
			} else {
				defer h.stop()
				h.b.put("a", "theirs")
				end()
				if err := h.close(x); !errors.Is(err, ErrConflicted) {
					t.Errorf("close: %v", err)
				}
			}
			if kept := h.b.like("a.conflict-"); len(kept) != 1 || h.b.get(kept[0]) != "" || h.b.get("a") != "theirs" {
				t.Errorf("died: %v, kept %v, a is %q", dies, kept, h.b.get("a"))
			}
		})
	}
}
