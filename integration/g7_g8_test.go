package integration

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// The locks of a dead host are free after lease and delay, once, for all its files
// together, and not before.
// SEMANTICS G7
func TestG7DeadHost(t *testing.T) {
	t.Parallel()
	for _, lock := range []struct {
		name string
		on   harness.Lock
	}{{"dynamodb", harness.OnDynamoDB}, {"s3", harness.OnS3}} {
		t.Run(lock.name, func(t *testing.T) {
			e := suite.New(t)
			b := e.Bucket(lock.on, harness.Mortal)
			one := b.Mount("one").Expect("recover")
			two := b.Mount("two").Expect("dead")
			f, g := newFiles(e), newFiles(e)
			for _, name := range []string{"a", "b", "c"} {
				f.mustPut(one.Path(name), "old\n")
				f.mustWrite(f.mustOpen(one.Path(name), unix.O_RDWR), 0, "lost\n")
			}
			killed := time.Now()
			one.Kill()
			if err := g.put(two.Path("a"), "new\n"); err != nil {
				t.Fatalf("the survivor's write: %v", err)
			}
			first := time.Since(killed)
			if limit := b.Times.Lease + b.Times.Delay + 4*time.Second; first > limit {
				t.Errorf("the lock was free after %s, want at most %s", first, limit)
			}
			// The waiter first looked after the death: its window and its delay are both whole.
			if least := b.Times.Lease + b.Times.Delay; first < least {
				t.Errorf("the lock was taken after %s: a paused holder would still believe in it", first)
			}
			start := time.Now()
			for _, name := range []string{"b", "c"} {
				g.mustPut(two.Path(name), "new\n")
			}
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("the other files took %s more: the wait is to be paid once", d)
			}
			// What the dead host never closed is beside the files when it is back.
			one.Mount()
			e.Eventually(30*time.Second, func() error { return some(b.KeysBelow("a.recovered-one-"), "recovered file") })
			for _, name := range []string{"a", "b", "c"} {
				if got := b.Content(name); got != "new\n" {
					t.Errorf("%s is %q", name, got)
				}
			}
		})
	}
}

// After a clean unmount, and when the same state directory is mounted again after a
// crash, nobody waits.
// SEMANTICS G7
func TestG7NoWaitAfterUnmountOrSameHost(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Mount("one").Expect("recover"), b.Mount("two")
	f := newFiles(e)
	f.mustPut(one.Path("f"), "1\n")
	one.Umount()
	start := time.Now()
	f.mustPut(two.Path("f"), "2\n")
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("after a clean unmount the other host waited %s", d)
	}

	one.Mount()
	fd := f.mustOpen(one.Path("g"), unix.O_RDWR|unix.O_CREAT)
	f.mustWrite(fd, 0, "lost\n")
	one.Kill()
	one.Mount()
	g := newFiles(e)
	start = time.Now()
	g.mustPut(one.Path("g"), "new\n")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the same host waited %s for its own dead session", d)
	}
	start = time.Now()
	g.mustPut(two.Path("g"), "newer\n")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the other host waited %s after the recovery", d)
	}
}

// A pause shorter than the lease is nothing; one that is longer costs the lease, never
// bytes: the paused host finds out at its next commit.
// SEMANTICS G7, G5
func TestG7PausedHost(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	one := b.Mount("one").Expect("lost|dead|conflict|changed|expired|beat|session")
	two := b.Mount("two").Expect("dead")
	f, g := newFiles(e), newFiles(e)
	f.mustPut(one.Path("f"), "0\n")
	fd := f.mustOpen(one.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "short pause\n")
	one.Signal(unix.SIGSTOP)
	time.Sleep(time.Second)
	one.Signal(unix.SIGCONT)
	f.mustClose(fd)

	fd = f.mustOpen(one.Path("f"), unix.O_RDWR|unix.O_TRUNC)
	f.mustWrite(fd, 0, "from the paused host\n")
	one.Signal(unix.SIGSTOP)
	if err := g.put(two.Path("f"), "theirs\n"); err != nil {
		t.Errorf("the other host's write: %v", err)
	}
	one.Signal(unix.SIGCONT)
	if err := f.close(fd); err != unix.ESTALE {
		t.Errorf("close after the pause: %v, want ESTALE", err)
	}
	if got := b.Content("f"); got != "theirs\n" {
		t.Errorf("the file is %q", got)
	}
	e.Eventually(30*time.Second, func() error { return some(b.KeysBelow("f.conflict-one-"), "conflict file") })
	if got := b.Content(b.KeysBelow("f.conflict-one-")[0]); got != "from the paused host\n" {
		t.Errorf("the conflict file has %q", got)
	}
}

// flock and fcntl locks are refused, and one line of the log says why.
// SEMANTICS G8
func TestG8LocksAreRefused(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one").Expect("ENOLCK|flock|fcntl")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "x\n")
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
	for range 3 {
		for op, kinds := range map[string][]int{
			"flock": {unix.LOCK_EX | unix.LOCK_NB, unix.LOCK_SH | unix.LOCK_NB, unix.LOCK_EX},
			"fcntl": {unix.F_SETLK, unix.F_SETLKW, unix.F_GETLK, unix.F_OFD_SETLK},
		} {
			for _, kind := range kinds {
				if _, err := f.call(fileCall{Op: op, FD: fd, N: kind}); err != unix.ENOLCK {
					t.Errorf("%s %d: %v, want ENOLCK", op, kind, err)
				}
			}
		}
	}
	f.mustClose(fd)
	lines := 0
	h.Logs("ENOLCK")
	for line := range strings.Lines(h.Log()) {
		if strings.Contains(line, "ENOLCK") || strings.Contains(line, "flock") {
			lines++
		}
	}
	if lines != 1 {
		t.Errorf("%d lines of the log speak of it, want 1", lines)
	}
}

// Two locks the kernel grants without asking the mount: flock on a directory and leases (F_SETLEASE).
// They hold on one host alone, which the documents say. SEMANTICS G8
func TestG8LocksThatTheKernelGrants(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	hosts := []*harness.Host{b.Mount("one"), b.Mount("two")}
	e.Sh(hosts[0].Mountpoint, "mkdir d; echo x > f")
	for _, h := range hosts {
		dir, err := os.Open(h.Path("d"))
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			t.Errorf("flock of a directory on %s: %v: the documents say that it is granted", h.Hostname, err)
		}
		file, err := os.Open(h.Path("f"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
			t.Errorf("a lease on %s: %v: the documents say that it is granted", h.Hostname, err)
		}
	}
	for doc, what := range map[string]string{"../README.md": "flock", "../docs/SEMANTICS.md": "F_SETLEASE"} {
		if text := readText(t, doc); !strings.Contains(text, what) || !strings.Contains(text, "on a directory") {
			t.Errorf("%s does not name these locks", doc)
		}
	}
}
