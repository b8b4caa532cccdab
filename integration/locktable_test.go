package integration

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A file costs one lock request at open and one in the background after its close, and the
// beats cost what they cost, whatever is held (LOCKS P9). A mount that only reads needs none.
func TestLockRequests(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.LockProxy()
	all := func(harness.Request) bool { return true }
	h := b.LocksThrough(p.URL).Mount("one")
	mounted := len(p.Seen(all))
	e.Sh(h.Mountpoint, "ls; cat f || true; stat . > /dev/null")
	if n := len(p.Seen(all)) - mounted; n != 0 {
		t.Errorf("reading made %d lock requests", n)
	}
	const files = 100
	start := time.Now()
	e.Sh(h.Mountpoint, fmt.Sprintf("for i in $(seq %d); do echo $i > f$i; done", files))
	e.Sh(h.Mountpoint, "exec 5> held; sleep 1; exec 5>&-")
	h.Umount()
	beats := int(time.Since(start)/b.Times.Beat) + 1
	// Besides: the session's start and end, and the file that was held.
	if n, most := len(p.Seen(all))-mounted, 2*files+beats+6; n > most || n < 2*files {
		t.Errorf("%d files took %d lock requests, want at least %d and at most %d", files, n, 2*files, most)
	}
}

// While the lock table cannot be reached, open handles go on and reads are not
// concerned; what has to lock a new file waits, and goes on when the table is back.
func TestLockTableOutage(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.LockProxy()
	h := b.LocksThrough(p.URL).Mount("one", "--lock-timeout", "4s").Expect("lock table|beat|unavailable|lock")
	f, g := newFiles(e), newFiles(e)
	f.mustPut(h.Path("f"), "1\n")
	f.mustPut(h.Path("other"), "1\n")
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "2\n")
	p.Inject(all(harness.Refuse))
	f.mustClose(fd)
	if got := g.mustGet(h.Path("f")); got != "2\n" {
		t.Errorf("reads %q", got)
	}
	if got := b.Content("f"); got != "2\n" {
		t.Errorf("the bucket has %q", got)
	}
	if _, err := f.open(h.Path("other"), unix.O_WRONLY); err != unix.EIO {
		t.Errorf("open of another file for write: %v, want EIO", err)
	}
	p.Inject(nil)
	e.Eventually(30*time.Second, func() error { return f.put(h.Path("other"), "4\n") })
	if got := b.Content("other"); got != "4\n" {
		t.Errorf("the bucket has %q", got)
	}
}
