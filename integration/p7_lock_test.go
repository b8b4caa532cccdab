package integration

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// LOCKS P7, crash after acquire, before its reply: the lock belongs to a session that stops
// beating, and others have it after lease and delay.
// SEMANTICS G7
func TestP7CrashBeforeLockReply(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	// Whoever watches a session begins anew if two looks at it are more than two beats apart, so
	// that on a machine that is late by those he may wait for a second lease. Two seconds are long.
	b := e.Bucket(harness.OnDynamoDB, harness.Times{Beat: time.Second, Lease: 4 * time.Second, Delay: 2 * time.Second})
	p := b.LockProxy()
	one := b.LocksThrough(p.URL).Mount("one").Expect("beat|recover")
	two := b.Mount("two").Expect("dead")
	f, g := newFiles(e), newFiles(e)
	f.mustPut(one.Path("f"), "1\n")
	f.mustPut(one.Path("other"), "1\n") // the session is there
	p.Inject(all(harness.LoseReply))
	opening := f.begin(fileCall{Op: "open", Path: one.Path("f"), Flags: unix.O_RDWR})
	time.Sleep(500 * time.Millisecond)
	one.Kill()
	if _, err := f.within(30*time.Second, opening); err == nil {
		t.Error("open succeeded without an answer of the lock table")
	}
	start := time.Now()
	g.mustPut(two.Path("f"), "2\n")
	if d, limit := time.Since(start), b.Times.Lease+b.Times.Delay+4*time.Second; d > limit {
		t.Errorf("the lock was free after %s, want at most %s", d, limit)
	}
	p.Inject(nil)
	one.Mount()
	f.mustPut(one.Path("f"), "3\n")
}

// LOCKS P7, lock table unreachable for longer than the lease: open handles work, their
// commit has one attempt, which the ETag decides; new opens for write end with EIO. When
// the table is back a session that nobody killed goes on.
// SEMANTICS G1, G5
func TestP7LockTableUnreachableLong(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.LockProxy()
	one := b.LocksThrough(p.URL).Mount("one", "--lock-timeout", "2s").Expect("beat|lock|conflict|changed|lost")
	two := b.Mount("two").Expect("dead")
	f, g := newFiles(e), newFiles(e)
	for _, name := range []string{"quiet", "taken", "third"} {
		f.mustPut(one.Path(name), "0\n")
	}
	quiet, taken := f.mustOpen(one.Path("quiet"), unix.O_RDWR), f.mustOpen(one.Path("taken"), unix.O_RDWR)
	f.mustWrite(quiet, 0, "1\n")
	f.mustWrite(taken, 0, "1\n")
	p.Inject(all(harness.Refuse))
	if err := g.put(two.Path("taken"), "theirs\n"); err != nil { // after lease and delay
		t.Fatalf("the other host: %v", err)
	}
	if _, err := f.open(one.Path("third"), unix.O_RDWR); err != unix.EIO {
		t.Errorf("open for write: %v, want EIO", err)
	}
	f.mustWrite(quiet, 2, "2\n")
	if got := f.mustRead(quiet, 0, 10); got != "1\n2\n" {
		t.Errorf("reads %q", got)
	}
	f.mustClose(quiet)
	if got := b.Content("quiet"); got != "1\n2\n" {
		t.Errorf("the bucket has %q", got)
	}
	if err := f.close(taken); err != unix.ESTALE {
		t.Errorf("close of a file that another host has written: %v, want ESTALE", err)
	}
	if got := b.Content("taken"); got != "theirs\n" {
		t.Errorf("the bucket has %q", got)
	}
	if kept := b.KeysBelow("taken.conflict-one-"); len(kept) != 1 || b.Content(kept[0]) != "1\n" {
		t.Errorf("kept %q", kept)
	}
	p.Inject(nil)
	e.Eventually(30*time.Second, func() error { return f.put(one.Path("third"), "3\n") })
	g.mustPut(two.Path("quiet"), "4\n")
}

// LOCKS P7, table outage heals: a short one is nothing, for whoever holds and whoever waits.
// SEMANTICS G7
func TestP7LockTableOutageHeals(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.LockProxy()
	through := b.LocksThrough(p.URL)
	one, two := through.Mount("one").Expect("heartbeat failed"), through.Mount("two").Expect("heartbeat failed")
	f, g := newFiles(e), newFiles(e)
	f.mustPut(one.Path("f"), "1\n")
	g.mustPut(two.Path("g"), "1\n")
	fd := f.mustOpen(one.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "2\n")
	opening := g.begin(fileCall{Op: "open", Path: two.Path("f"), Flags: unix.O_RDWR})
	time.Sleep(time.Second)
	p.Inject(all(harness.Refuse))
	time.Sleep(b.Times.Lease + b.Times.Delay) // both are cut off: nobody may judge the other
	p.Inject(nil)
	time.Sleep(time.Second)
	f.mustWrite(fd, 2, "3\n")
	f.mustClose(fd)
	r, err := g.within(time.Minute, opening)
	if err != nil {
		t.Fatalf("the waiting open: %v", err)
	}
	if got := g.mustRead(r.N, 0, 10); got != "2\n3\n" {
		t.Errorf("it reads %q", got)
	}
	g.mustClose(r.N)
}

// LOCKS P7, an operator (or TTL) deletes the session: the next beat finds out, and the mount
// goes on under another one.
// SEMANTICS G5
func TestP7SessionDeleted(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	h := b.Mount("one").Expect("session lost|session .* is gone")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "1\n")
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "2\n")
	table := harness.NewClient(b.Server(), b.Name+"-locks")
	deleteBelow(e, table, "v1/session/")
	e.Eventually(30*time.Second, func() error {
		if !strings.Contains(h.Log(), "session lost") {
			return some([]int{}, "loss of the session")
		}
		return nil
	})
	f.mustWrite(fd, 2, "3\n")
	f.mustClose(fd)
	if got := b.Content("f"); got != "2\n3\n" {
		t.Errorf("the bucket has %q", got)
	}
	f.mustPut(h.Path("f"), "4\n")
}

// LOCKS P7, an operator deletes lock items: the holder does not notice, and the conditions
// on the bucket decide.
// SEMANTICS G1, G5
func TestP7LockItemDeleted(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	one, two := b.Mount("one").Expect("conflict|changed"), b.Mount("two")
	f, g := newFiles(e), newFiles(e)
	f.mustPut(one.Path("f"), "0\n")
	fd := f.mustOpen(one.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "one\n")
	deleteBelow(e, harness.NewClient(b.Server(), b.Name+"-locks"), "v1/lock/")
	g.mustPut(two.Path("f"), "two\n")
	if err := f.close(fd); err != unix.ESTALE {
		t.Errorf("close: %v, want ESTALE", err)
	}
	if got := b.Content("f"); got != "two\n" {
		t.Errorf("the bucket has %q", got)
	}
	if kept := b.KeysBelow("f.conflict-one-"); len(kept) != 1 || b.Content(kept[0]) != "one\n" {
		t.Errorf("kept %q", kept)
	}
}

func deleteBelow(e *harness.Env, c *harness.Client, prefix string) {
	e.Helper()
	keys, err := c.Keys(e.Timeout(time.Minute), prefix)
	e.Must(err)
	if len(keys) == 0 {
		e.Fatalf("nothing below %s", prefix)
	}
	for _, k := range keys {
		e.Must(c.Delete(e.Timeout(time.Minute), k))
	}
}

// LOCKS P7, throttling of lock calls: slower, nothing else.
func TestP7LockTableThrottled(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.LockProxy()
	h := b.LocksThrough(p.URL).Mount("one").Expect("heartbeat failed")
	n := 0
	p.Inject(func(*http.Request) harness.Fault { // called with a mutex held
		if n++; n%2 == 0 {
			return harness.Busy
		}
		return harness.Pass
	})
	e.Sh(h.Mountpoint, "echo 1 > f; echo 2 >> f; echo 3 > g")
	if got := b.Content("f"); got != "1\n2\n" {
		t.Errorf("the bucket has %q", got)
	}
}
