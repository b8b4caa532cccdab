package file

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
)

// A directory and a file of one name have one lease, whose name has no slash. A mkdir whose
// answer the dead session missed may still land: its lock is not free before the quiet time.
func TestRecoveryUnansweredDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.hang(false)
		go h.Mkdir(t.Context(), "n/", 0o755, 0, 0)
		time.Sleep(time.Second)
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		r, err := n.Recovery(h.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if !r.Unanswered(lease.Name("n/")) {
			t.Error("the lock of the name is given away while the mkdir may still land")
		}
	})
}
