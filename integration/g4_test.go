package integration

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A second host waits at open until the first has closed, and then sees what it wrote.
// SEMANTICS G4
func TestG4SecondHostWaits(t *testing.T) {
	t.Parallel()
	for _, lock := range []struct {
		name string
		on   harness.Lock
	}{{"dynamodb", harness.OnDynamoDB}, {"s3", harness.OnS3}} {
		t.Run(lock.name, func(t *testing.T) {
			e := suite.New(t)
			b := e.Bucket(lock.on, harness.Patient)
			one, two := b.Mount("one"), b.Mount("two")
			f, g := newFiles(e), newFiles(e)
			f.mustPut(one.Path("f"), "0\n")
			fd := f.mustOpen(one.Path("f"), unix.O_RDWR)
			f.mustWrite(fd, 0, "1\n")

			waiting := g.begin(fileCall{Op: "open", Path: two.Path("f"), Flags: unix.O_RDWR})
			select {
			case r := <-waiting:
				t.Fatalf("the second host's open did not wait: %+v", r)
			case <-time.After(2 * time.Second):
			}
			// Reading needs no lock.
			r := newFiles(e)
			if got := r.mustGet(two.Path("f")); got != "0\n" {
				t.Errorf("a reader sees %q meanwhile", got)
			}
			f.mustClose(fd)
			start := time.Now()
			opened, err := g.within(30*time.Second, waiting)
			if err != nil {
				t.Fatalf("the second host's open: %v", err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("the open went on %s after the close", d)
			}
			if got := g.mustRead(opened.N, 0, 100); got != "1\n" {
				t.Errorf("the second host reads %q", got)
			}
			g.mustClose(opened.N)
		})
	}
}

// Who may not or cannot wait is told so: O_NONBLOCK within 2 s, the lock timeout, a
// signal, and at most 1 s for the calls that hold the directory.
// SEMANTICS G4
func TestG4WaitingEnds(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one := b.Mount("one")
	two := b.Mount("two", "--lock-timeout", "5s").Expect("locked by|lock")
	holder := newFiles(e)
	holder.mustPut(one.Path("f"), "0\n")
	holder.mustPut(one.Path("g"), "0\n")
	fd := holder.mustOpen(one.Path("f"), unix.O_RDWR)
	holder.mustWrite(fd, 0, "1\n")

	f := newFiles(e)
	const slack = 2 * time.Second
	for _, tt := range []struct {
		name     string
		call     fileCall
		want     unix.Errno
		min, max time.Duration
	}{
		{"O_NONBLOCK", fileCall{Op: "open", Path: two.Path("f"), Flags: unix.O_RDWR | unix.O_NONBLOCK}, unix.EWOULDBLOCK, 0, 2 * time.Second},
		{"lock timeout", fileCall{Op: "open", Path: two.Path("f"), Flags: unix.O_RDWR}, unix.EBUSY, 5 * time.Second, 5 * time.Second},
		{"unlink", fileCall{Op: "unlink", Path: two.Path("f")}, unix.EBUSY, 0, time.Second},
		{"rename away", fileCall{Op: "rename", Path: two.Path("f"), To: two.Path("h")}, unix.EBUSY, 0, time.Second},
		{"rename over", fileCall{Op: "rename", Path: two.Path("g"), To: two.Path("f")}, unix.EBUSY, 0, time.Second},
	} {
		start := time.Now()
		_, err := f.call(tt.call)
		d := time.Since(start)
		if err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if d < tt.min-100*time.Millisecond || d > tt.max+slack {
			t.Errorf("%s: answered after %s, want %s to %s", tt.name, d, tt.min, tt.max)
		}
	}
	// A name that the other host is creating.
	nfd := holder.mustOpen(one.Path("new"), unix.O_RDWR|unix.O_CREAT)
	holder.mustWrite(nfd, 0, "x\n")
	start := time.Now()
	if _, err := f.open(two.Path("new"), unix.O_RDWR|unix.O_CREAT); err != unix.EBUSY {
		t.Errorf("create: %v, want EBUSY", err)
	}
	if d := time.Since(start); d > time.Second+slack {
		t.Errorf("create: answered after %s", d)
	}
	holder.mustClose(nfd)
	holder.mustClose(fd)
	if got := f.mustGet(two.Path("f")); got != "1\n" {
		t.Errorf("the file is %q", got)
	}
}

// SEMANTICS G4
func TestG4WaitIsInterruptible(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	holder := newFiles(e)
	holder.mustPut(one.Path("f"), "0\n")
	fd := holder.mustOpen(one.Path("f"), unix.O_RDWR)
	holder.mustWrite(fd, 0, "1\n")

	// Python's open() makes the call again after EINTR, unless the signal's handler raises. The
	// signal is sent by the program itself: nobody else knows when it has started.
	o := e.TrySh(e.Dir, `
		timeout -s KILL 60 python3 -c '
import os, signal, sys
signal.signal(signal.SIGALRM, lambda *_: sys.exit(7))
signal.alarm(1)
os.open(sys.argv[1], os.O_RDWR)
' `+two.Path("f")+` || echo code $?`)
	if o.Out != "code 7\n" {
		t.Errorf("the waiting program said %q %q", o.Out, o.Err)
	}
	holder.mustClose(fd)
	// The abandoned wait took nothing with it.
	f := newFiles(e)
	f.mustPut(two.Path("f"), "2\n")
	f.mustPut(one.Path("f"), "3\n")
}
