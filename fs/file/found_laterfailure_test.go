package file

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store/faultstore"
)

// LOCKS P4.4: a close answers with the error again as long as what the handle wrote is not in the
// bucket. Others who wait for an earlier commit and are told later than its own fsync do not change
// that. In the test their times end in the same moment as its own, in some order.
func TestEarlierFailureLeavesALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		late, others := h.open("a", "r+"), make([]*Handle, 12)
		for i := range others {
			others[i] = h.open("a", "r+")
		}
		var pass atomic.Int32
		h.b.before("Put", "a", func() faultstore.Fault { return faultstore.Fault{Hang: pass.Add(-1) < 0} })
		answers := make(chan error, 1+len(others))
		h.write(others[0], "first", 0)
		for _, x := range others {
			go func() { answers <- x.Sync(t.Context()) }()
		}
		synctest.Wait()
		h.write(late, "second", 0)
		go func() { answers <- late.Sync(t.Context()) }()
		for range cap(answers) {
			if err := <-answers; !errors.Is(err, ErrUnsaved) {
				t.Fatal(err)
			}
		}
		pass.Store(1)
		for h.b.get("a") != "first" {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if err := late.failure(); !errors.Is(err, ErrUnsaved) {
			t.Errorf("%q is in the bucket, and whoever wrote more is told: %v", h.b.get("a"), err)
		}
		h.b.net.Hook(nil)
		if err := h.close(late); err != nil {
			t.Error(err)
		}
	})
}
