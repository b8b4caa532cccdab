package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// smallDisk puts the host's state directory on a disk of its own. What it returns takes the
// disk away, when the host is unmounted.
func smallDisk(e *harness.Env, h *harness.Host, bytes int) (remove func()) {
	e.Helper()
	e.Must(os.MkdirAll(h.StateDir, 0o700))
	e.Must(unix.Mount("tmpfs", h.StateDir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)))
	e.Cleanup(func() { unix.Unmount(h.StateDir, unix.MNT_DETACH) }) // where the test has failed
	return func() {
		e.Helper()
		e.Must(unix.Unmount(h.StateDir, 0))
	}
}

// fill writes a file filler* that takes the last byte of a disk.
func fill(e *harness.Env, dir string) {
	e.Helper()
	f, err := os.CreateTemp(dir, "filler")
	e.Must(err)
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// LOCKS P7, a full disk: write(2) refuses what has no room, and what was accepted is
// committed by close although there is not a byte left.
// SEMANTICS G5
func TestP7FullDisk(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Host("one", "--spool-limit", "100M").Expect("ENOSPC|space")
	gone := smallDisk(e, h, 1<<20)
	h.Mount()
	f := newFiles(e)
	f.mustPut(h.Path("clean"), "clean\n")

	// The disk fills up under our own writes.
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	var accepted strings.Builder
	for i := range 2000 {
		line := fmt.Sprintf("%09997d\n", i)
		r, err := f.call(fileCall{Op: "write", FD: fd, Off: int64(accepted.Len()), Data: []byte(line)})
		if err == unix.ENOSPC {
			break
		}
		if err != nil {
			t.Fatalf("write: %v, want ENOSPC", err)
		}
		accepted.WriteString(line[:r.N])
	}
	if accepted.Len() == 0 || accepted.Len() > 1<<20 {
		t.Fatalf("%d bytes were accepted by a disk of 1 MiB", accepted.Len())
	}
	f.mustClose(fd)
	if got := b.Content("f"); got != accepted.String() {
		t.Errorf("the bucket has %d bytes, accepted were %d", len(got), accepted.Len())
	}

	// Somebody else fills it up while files are open.
	var open []int
	for i := range 20 {
		fd := f.mustOpen(h.Path(fmt.Sprint("g", i)), unix.O_RDWR|unix.O_CREAT)
		for at := range 1 + 6*i { // their journals end anywhere in a block of the disk
			f.mustWrite(fd, int64(at), "g")
		}
		open = append(open, fd)
	}
	for i, fd := range open {
		fill(e, h.StateDir) // again: each close frees what its file had taken
		if err := f.write(fd, 0, strings.Repeat("x", 128<<10)); err != unix.ENOSPC {
			t.Errorf("write to a full disk: %v, want ENOSPC", err)
		}
		if err := f.close(fd); err != nil {
			t.Errorf("close with a full disk: %v", err)
		} else if got := b.Content(fmt.Sprint("g", i)); got != strings.Repeat("g", 1+6*i) {
			t.Errorf("the bucket has %d bytes of g%d", len(got), i)
		}
	}
	e.Eventually(10*time.Second, func() error { // once the last file's room is given back, after its close
		fill(e, h.StateDir)
		if err := f.put(h.Path("late"), "late\n"); err != unix.ENOSPC {
			return fmt.Errorf("a new file on a full disk: %v, want ENOSPC", err)
		}
		return nil
	})
	if got := f.mustGet(h.Path("clean")); got != "clean\n" {
		t.Errorf("reads %q", got)
	}
	for _, path := range glob(e, h.StateDir, "filler*") {
		e.Must(os.Remove(path))
	}
	f.mustPut(h.Path("late"), "late\n")
	h.Umount()
	gone()
}

// A journal that was damaged on the disk is set aside, and named; the mount works, and all
// else is recovered.
// SEMANTICS G5
func TestP7DamagedJournal(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	h := b.Mount("one").Expect("recover|set aside|kept aside|cannot be read")
	f := newFiles(e)
	for _, name := range []string{"bad", "cut", "good"} {
		fd := f.mustOpen(h.Path(name), unix.O_RDWR|unix.O_CREAT)
		for i := range 3 {
			f.mustWrite(fd, int64(6*i), name[:2]+fmt.Sprintf("%03d\n", i))
		}
	}
	h.Kill()
	for _, journal := range glob(e, h.StateDir, "*/spool/f-*/journal") {
		text, err := os.ReadFile(journal)
		e.Must(err)
		switch {
		case strings.Contains(string(text), `"Key":"bad"`):
			text[len(text)/2+40] ^= 0x10
			text[strings.Index(string(text), "}")+12] ^= 0x10
		case strings.Contains(string(text), `"Key":"cut"`):
			text = text[:len(text)-5]
		}
		e.Must(os.WriteFile(journal, text, 0o600))
	}
	h.Mount()
	f.mustPut(h.Path("new"), "new\n")
	e.Eventually(30*time.Second, func() error {
		if err := some(b.KeysBelow("good.recovered-one-"), "recovered file of good"); err != nil {
			return err
		}
		return some(b.KeysBelow("cut.recovered-one-"), "recovered file of cut")
	})
	if got := b.Content(b.KeysBelow("good.recovered-one-")[0]); got != "go000\ngo001\ngo002\n" {
		t.Errorf("recovered: %q", got)
	}
	// Its last record was torn: as far as can be known that write never was.
	if got := b.Content(b.KeysBelow("cut.recovered-one-")[0]); got != "cu000\ncu001\n" {
		t.Errorf("recovered: %q", got)
	}
	aside := glob(e, h.StateDir, "*/spool/bad-*")
	if len(aside) != 1 || !h.Logs(filepath.Base(aside[0])) {
		t.Fatalf("set aside: %q", aside)
	}
	if data, err := os.ReadFile(filepath.Join(aside[0], "data")); err != nil || string(data) != "ba000\nba001\nba002\n" {
		t.Errorf("its data is %q, %v", data, err)
	}
	h.Umount()
	e.Must(os.RemoveAll(filepath.Dir(filepath.Dir(aside[0])))) // what a person does who has read it
}

func glob(e *harness.Env, dir, pattern string) []string {
	e.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	e.Must(err)
	return found
}

// Two mounts of one bucket on one host, over one state directory: each has its own session
// there, and when one dies the other is not disturbed by the recovery.
// SEMANTICS G4, G5, G7
func TestP7TwoMountsOneStateDirectory(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Host("one").Expect("recover"), b.Host("two")
	two.StateDir = one.StateDir
	one.Mount()
	two.Mount()
	f, g := newFiles(e), newFiles(e)
	f.mustPut(one.Path("f"), "1\n")
	g.mustPut(two.Path("f"), "2\n")
	f.mustPut(one.Path("f"), "3\n")
	mine := g.mustOpen(two.Path("mine"), unix.O_RDWR|unix.O_CREAT)
	g.mustWrite(mine, 0, "open all the time\n")
	lost := f.mustOpen(one.Path("f"), unix.O_RDWR)
	f.mustWrite(lost, 0, "lost\n")
	one.Kill()
	one.Mount()
	e.Eventually(30*time.Second, func() error { return some(b.KeysBelow("f.recovered-one-"), "recovered file") })
	start := time.Now()
	g.mustPut(two.Path("f"), "4\n")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the other mount waited %s for a session that is recovered", d)
	}
	g.mustClose(mine)
	if got := b.Content("mine"); got != "open all the time\n" {
		t.Errorf("the bucket has %q", got)
	}
	if keys := b.KeysBelow(""); len(keys) != 3 {
		t.Errorf("the bucket has %q", keys)
	}
}
