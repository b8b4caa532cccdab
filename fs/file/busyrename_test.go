package file

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// A rename whose source is made in the same moment is busy: nothing is in the bucket that could
// be copied, and the name is not without its file.
func TestRenameOfWhatIsJustMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		answer := make(chan error, 1)
		h.b.once("Head", "a", func() { // under the lease of the create
			go func() { answer <- h.Rename(context.Background(), "a", "b", false, nil) }()
			time.Sleep(time.Millisecond) // it waits for the name
		})
		x := h.open("a", "c")
		err := <-answer
		if _, held := errors.AsType[*lockmgr.HeldError](err); !held {
			t.Errorf("rename: %v", err)
		}
		h.write(x, "text", 0)
		if err := h.close(x); err != nil || h.b.get("a") != "text" || h.b.get("b") != "-" {
			t.Errorf("close: %v, a is %q, b is %q", err, h.b.get("a"), h.b.get("b"))
		}
	})
}
