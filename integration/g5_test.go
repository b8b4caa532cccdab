package integration

import (
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// crashWithClosed makes a host write "ours" into f and close it while the bucket cannot
// be written, and kills the host in the middle of that close.
func crashWithClosed(e *harness.Env, h *harness.Host, p *harness.Proxy) {
	e.Helper()
	p.Inject(on("/f", harness.Hang))
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	f.mustWrite(fd, 0, "ours\n")
	from := time.Now()
	closing := f.begin(fileCall{Op: "close", FD: fd})
	e.Eventually(30*time.Second, func() error {
		return some(p.Seen(func(r harness.Request) bool {
			return r.At.After(from) && r.Method == http.MethodPut && strings.HasSuffix(r.Path, "/f")
		}), "PUT of f")
	})
	h.Kill()
	if _, err := f.within(30*time.Second, closing); err == nil {
		e.Error("close returned 0 though nothing was saved")
	}
	p.Inject(nil)
}

// What close was asked to save is committed by the next mount.
// SEMANTICS G5
func TestG5KillCommitsSealed(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("recover")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "old contents, longer\n")
	crashWithClosed(e, h, p)
	if got := b.Content("f"); got != "old contents, longer\n" {
		t.Fatalf("before recovery the bucket has %q", got)
	}
	h.Mount()
	want := "ours\nontents, longer\n"
	e.Eventually(30*time.Second, func() error { return equal(b.Content("f"), want) })
	if got := f.mustGet(h.Path("f")); got != want {
		t.Errorf("the mount reads %q", got)
	}
	if keys := b.KeysBelow("f."); len(keys) != 0 {
		t.Errorf("recovery made %q", keys)
	}
	if n := len(b.VersionsOf("f")); n != 2 {
		t.Errorf("%d versions, want 2", n)
	}
}

// If somebody else wrote meanwhile, it becomes a conflict file.
// SEMANTICS G5
func TestG5KillThenForeignChange(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("recover|conflict|changed")
	newFiles(e).mustPut(h.Path("f"), "old\n")
	crashWithClosed(e, h, p)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "theirs\n"))
	h.Mount()
	e.Eventually(30*time.Second, func() error { return some(b.KeysBelow("f.conflict-one-"), "conflict file") })
	if got := b.Content(b.KeysBelow("f.conflict-one-")[0]); got != "ours\n" {
		t.Errorf("the conflict file has %q", got)
	}
	if got := b.Content("f"); got != "theirs\n" {
		t.Errorf("the bucket has %q", got)
	}
}

// Bytes that were never closed nor synced are kept beside the file, never under its
// name; what fsync was asked for is committed.
// SEMANTICS G5
func TestG5KillKeepsUnsealed(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	h := b.Mount("one").Expect("recover")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "old\n")
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "synced\n")
	if err := f.fsync(fd); err != nil {
		t.Fatalf("fsync: %v", err)
	}
	f.mustWrite(fd, 7, "not synced\n")
	nfd := f.mustOpen(h.Path("new"), unix.O_RDWR|unix.O_CREAT)
	f.mustWrite(nfd, 0, "never closed\n")
	h.Kill()
	h.Mount()
	e.Eventually(30*time.Second, func() error {
		if err := some(b.KeysBelow("f.recovered-one-"), "recovered file of f"); err != nil {
			return err
		}
		return some(b.KeysBelow("new.recovered-one-"), "recovered file of new")
	})
	if got := b.Content("f"); got != "synced\n" {
		t.Errorf("the file has %q, want what was synced", got)
	}
	if got := b.Content(b.KeysBelow("f.recovered-one-")[0]); got != "synced\nnot synced\n" {
		t.Errorf("the recovered file has %q", got)
	}
	if got := b.Content(b.KeysBelow("new.recovered-one-")[0]); got != "never closed\n" {
		t.Errorf("the recovered file of new has %q", got)
	}
	if _, err := f.open(h.Path("new"), unix.O_RDONLY); err != unix.ENOENT {
		t.Errorf("a file that was never closed was published: %v", err)
	}
}

// What close returned 0 for is in the bucket, whatever happens a moment later.
// SEMANTICS G5
func TestG5CloseMeansSaved(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	h := b.Mount("one").Expect("recover")
	f := newFiles(e)
	big := strings.Repeat("0123456789abcde\n", 20<<20/16) // several parts
	f.mustPut(h.Path("small"), "small\n")
	fd := f.mustOpen(h.Path("big"), unix.O_WRONLY|unix.O_CREAT)
	for i := 0; i < len(big); i += 1 << 20 {
		f.mustWrite(fd, int64(i), big[i:i+1<<20])
	}
	f.mustClose(fd)
	h.Kill()
	if got := b.Content("small"); got != "small\n" {
		t.Errorf("small is %q", got)
	}
	if got := b.Content("big"); got != big {
		t.Errorf("big has %d bytes, not those written", len(got))
	}
	h.Mount()
	if keys := b.KeysBelow(""); len(keys) != 2 {
		t.Errorf("after recovery the bucket has %q", keys)
	}
}

// With the bucket out of reach close answers EIO when its time is up, and the work goes on in
// the background: what was accepted is saved when the bucket is back. SEMANTICS G5
func TestG5OutageKeepsData(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one", "--flush-timeout", "10s").Expect("saving a file goes on|kept in the spool")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "old\n")
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY)
	f.mustWrite(fd, 0, "new\n")
	p.Inject(all(harness.Refuse))
	start := time.Now()
	if err := f.close(fd); err != unix.EIO {
		t.Errorf("close during an outage: %v, want EIO", err)
	}
	if d := time.Since(start); d > 40*time.Second {
		t.Errorf("close took %s", d)
	}
	p.Inject(nil)
	e.Eventually(time.Minute, func() error { return equal(b.Content("f"), "new\n") })
	if got := f.mustGet(h.Path("f")); got != "new\n" {
		t.Errorf("the mount reads %q", got)
	}
	if keys := b.KeysBelow("f."); len(keys) != 0 {
		t.Errorf("an outage made %q", keys)
	}
}

// A full spool is ENOSPC from write(2), before anything was accepted; what was accepted
// stays.
// SEMANTICS G5
func TestG5SpoolLimit(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one", "--spool-limit", "1M").Expect("spool|space")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	chunk := strings.Repeat("x", 64<<10)
	accepted := int64(0)
	for range 64 {
		r, err := f.call(fileCall{Op: "write", FD: fd, Off: accepted, Data: []byte(chunk)})
		accepted += int64(max(r.N, 0))
		if err != nil {
			if err != unix.ENOSPC {
				t.Fatalf("write: %v, want ENOSPC", err)
			}
			break
		}
	}
	if accepted == 0 || accepted > 1<<20 {
		t.Errorf("%d bytes were accepted with a limit of 1 MiB", accepted)
	}
	f.mustClose(fd)
	if got := b.Content("f"); int64(len(got)) != accepted {
		t.Errorf("the bucket has %d bytes, accepted were %d", len(got), accepted)
	}
	// The space is free again.
	f.mustPut(h.Path("g"), chunk)
}

// The limit is one of the disk space that the spool takes: what the journal notes of a write of one
// byte takes much more than that byte.
// SEMANTICS G5
func TestG5SpoolLimitCountsJournals(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one", "--spool-limit", "1M").Expect("spool|space")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	accepted := int64(0)
	var err error
	for err == nil && accepted < 1<<20 {
		if _, err = f.call(fileCall{Op: "write", FD: fd, Off: 2 * accepted, Data: []byte("x")}); err == nil {
			accepted++
		}
	}
	if err != unix.ENOSPC {
		t.Fatalf("after %d writes of one byte: %v, want ENOSPC", accepted, err)
	}
	taken := int64(0)
	filepath.WalkDir(h.StateDir, func(path string, d fs.DirEntry, _ error) error {
		if i, err := d.Info(); err == nil && strings.Contains(path, "/f-") {
			taken += i.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	if taken < 1<<19 || taken > 1<<20+64<<10 {
		t.Errorf("%d bytes of disk are taken with a limit of 1 MiB", taken)
	}
	f.mustClose(fd)
	if got := int64(len(b.Content("f"))); got != 2*accepted-1 {
		t.Errorf("the bucket has %d bytes of %d", got, 2*accepted-1)
	}
}
