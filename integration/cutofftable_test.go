package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// cutOff is what the log of a host may say that cannot reach the lock table.
const cutOff = afterLoss + "|lock|heartbeat|saving a file goes on|spool|unleased|overw"

// The lock table is out of reach for one host alone, and another host changes what the first
// one has open and dirty, in a way that leaves the ETag as it was. The close of the first one
// never answers 0: what the other host did is still the file, or it is in the history and the
// close said ESTALE. The bytes of the first one are kept.
// SEMANTICS G1, G5; LOCKS P5
func TestCloseWithoutLockTable(t *testing.T) {
	t.Parallel()
	const base, mine = "base\n", "mine\n"
	changes := []struct {
		name   string
		change []fileCall
	}{
		{"chmod", []fileCall{{Op: "chmod", N: 0o600}}},
		{"written twice", []fileCall{{Op: "put", Data: []byte("between\n")}, {Op: "put", Data: []byte(base)}}},
		{"removed and made again", []fileCall{{Op: "unlink"}, {Op: "put", Data: []byte(base)}}},
	}
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Brief)
	p := b.LockProxy()
	one, two := b.LocksThrough(p.URL).Mount("one").Expect(cutOff), b.Mount("two").Expect(cutOff)
	f, g := newFiles(e), newFiles(e)
	fds := map[string]int{}
	for _, tt := range changes {
		f.mustPut(one.Path(tt.name), base)
		fds[tt.name] = f.mustOpen(one.Path(tt.name), unix.O_RDWR)
		f.mustWrite(fds[tt.name], 0, mine)
	}
	p.Inject(all(harness.Refuse))
	theirs := map[string]harness.Version{}
	for _, tt := range changes {
		for _, c := range tt.change {
			c.Path = two.Path(tt.name)
			e.Eventually(30*time.Second, func() error { // the first has to wait until lease and delay are over
				_, err := g.call(c)
				return err
			})
		}
		versions := b.VersionsOf(tt.name)
		theirs[tt.name] = versions[len(versions)-1]
	}
	closed := map[string]error{}
	for _, tt := range changes {
		closed[tt.name] = f.close(fds[tt.name])
		if closed[tt.name] != unix.ESTALE && closed[tt.name] != unix.EIO {
			t.Errorf("%s: close: %v, want ESTALE or EIO", tt.name, closed[tt.name])
		}
	}
	p.Inject(nil)
	for _, tt := range changes {
		e.Eventually(time.Minute, func() error { return keptSomewhere(e, b, tt.name, mine) })
		versions, their := b.VersionsOf(tt.name), theirs[tt.name]
		switch n := slices.IndexFunc(versions, func(v harness.Version) bool { return v.ID == their.ID }); {
		case n < 0:
			t.Errorf("%s: the other host's version is not in the history any more", tt.name)
		case n < len(versions)-1 && closed[tt.name] != unix.ESTALE:
			t.Errorf("%s: LOST UPDATE: the other host's version was overwritten, and close said %v", tt.name, closed[tt.name])
		case n < len(versions)-1 && !one.Logs(their.ID):
			t.Errorf("%s: no line of the log names the version %s, which was overwritten", tt.name, their.ID)
		}
	}
}

// keptSomewhere fails unless bytes are in a version of the file or in a conflict file.
func keptSomewhere(e *harness.Env, b *harness.Bucket, name, want string) error {
	e.Helper()
	all := append(contents(e, b, name), keptIn(e, b, name, "conflict")...)
	if !slices.Contains(all, want) {
		return fmt.Errorf("%s: %q is in neither a version nor a conflict file: %q", name, want, all)
	}
	return nil
}

// On a bucket without versions nobody could tell what such a close overwrote. So it answers
// EIO, touches nothing, and the data is committed when the lock table answers again.
// SEMANTICS G1, G5; LOCKS P5
func TestCloseWithoutLockTableAndVersions(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Brief)
	suspendVersions(e, b)
	p := b.LockProxy()
	h := b.LocksThrough(p.URL).Mount("one").Expect(cutOff + "|versions")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "old\n")
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "new\n")
	p.Inject(all(harness.Refuse))
	time.Sleep(b.Times.Lease)
	if err := f.close(fd); err != unix.EIO {
		t.Errorf("close: %v, want EIO", err)
	}
	if got := b.Content("f"); got != "old\n" {
		t.Errorf("without any lease the file became %q", got)
	}
	p.Inject(nil)
	e.Eventually(time.Minute, func() error { return equal(b.Content("f"), "new\n") })
	if keys := b.KeysBelow("f."); len(keys) != 0 {
		t.Errorf("it made %q", keys)
	}
}
