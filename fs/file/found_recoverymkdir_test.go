package file

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store/faultstore"
)

// LOCKS P2: a name is one kind of thing. A recovery makes a file while a program on its own host makes
// a directory of that name: both have a share in the lease.
func TestRecoveryBesideMkdir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(), newLockTable()
		h, n := newHost(t, b, l), newHost(t, b, l)
		defer n.stop()
		x := h.open("c", "c")
		h.write(x, "text", 0)
		b.hang(false)
		go h.close(x)
		synctest.Wait()
		h.died()
		made := make(chan error, 1)
		b.net.Hook(func(op, key string, _ int) faultstore.Fault {
			switch {
			case op == "ListVersions" || op == "Put" && key == "c":
				select {
				case made <- nil:
					go func() { _, err := n.Mkdir(context.Background(), "c/", 0o755, 0, 0); made <- err }()
					time.Sleep(100 * time.Millisecond)
				default:
				}
			case op == "Put" && key == "c/":
				return faultstore.Fault{Delay: 500 * time.Millisecond}
			}
			return faultstore.Fault{}
		})
		n.recover(h)
		<-made
		err := <-made
		if b.info("c").ETag != "" && b.info("c/").ETag != "" {
			t.Errorf("mkdir: %v, the bucket has %q", err, b.mem.Keys())
		}
	})
}
