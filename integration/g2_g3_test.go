package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// What a close on one host saved, the next open on another one sees, in length and
// content, longer or shorter, also after fsync and after an append with a stale size.
// SEMANTICS G2
func TestG2CloseToOpen(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	hosts := []*harness.Host{b.Mount("one"), b.Mount("two")}
	progs := []*files{newFiles(e), newFiles(e)}
	progs[0].mustPut(hosts[0].Path("f"), "")
	for i := range 20 {
		w, r := i%2, 1-i%2
		want := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", (i*37)%200))
		progs[w].mustPut(hosts[w].Path("f"), want)
		if got := progs[r].mustGet(hosts[r].Path("f")); got != want {
			t.Fatalf("round %d: the other host reads %q, want %q", i, got, want)
		}
	}

	// fsync publishes like close.
	fd := progs[0].mustOpen(hosts[0].Path("f"), unix.O_WRONLY|unix.O_TRUNC)
	progs[0].mustWrite(fd, 0, "synced\n")
	if err := progs[0].fsync(fd); err != nil {
		t.Fatalf("fsync: %v", err)
	}
	if got := progs[1].mustGet(hosts[1].Path("f")); got != "synced\n" {
		t.Errorf("after fsync the other host reads %q", got)
	}
	progs[0].mustClose(fd)

	// The kernel of two still has the old size when it appends.
	progs[0].mustPut(hosts[0].Path("f"), "a much longer line than before\n")
	fd = progs[1].mustOpen(hosts[1].Path("f"), unix.O_WRONLY|unix.O_APPEND)
	if _, err := progs[1].call(fileCall{Op: "append", FD: fd, Data: []byte("end\n")}); err != nil {
		t.Fatalf("append: %v", err)
	}
	progs[1].mustClose(fd)
	if got, want := progs[0].mustGet(hosts[0].Path("f")), "a much longer line than before\nend\n"; got != want {
		t.Errorf("after an append on the other host: %q, want %q", got, want)
	}
}

// An open read handle reads one version from open to close, while another host
// overwrites and then removes the file.
// SEMANTICS G3
func TestG3SnapshotReads(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	const size = 24 << 20 // more than is read ahead of a slow reader
	old := strings.Repeat("o", size)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", old))

	f, g := newFiles(e), newFiles(e)
	fd := f.mustOpen(one.Path("f"), unix.O_RDONLY)
	if got := f.mustRead(fd, 0, 4096); got != old[:4096] {
		t.Fatalf("the first page is %.20q", got)
	}
	g.mustPut(two.Path("f"), strings.Repeat("n", 4096))
	if got := f.mustRead(fd, 12<<20, 1<<20); got != old[:1<<20] {
		t.Errorf("after an overwrite: %d bytes %.20q", len(got), got)
	}
	if _, err := g.call(fileCall{Op: "unlink", Path: two.Path("f")}); err != nil {
		t.Fatalf("unlink: %v", err)
	}
	if got := f.mustRead(fd, size-4096, 8192); got != old[:4096] {
		t.Errorf("after a removal: %d bytes %.20q", len(got), got)
	}
	f.mustClose(fd)
	if _, err := f.open(one.Path("f"), unix.O_RDONLY); err != unix.ENOENT && err != nil {
		t.Errorf("open of the removed file: %v", err)
	}
}

// A reader on the writing host follows the writer, as on any file system.
// SEMANTICS G3
func TestG3ReaderFollowsLocalWriter(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	w, r := newFiles(e), newFiles(e)
	wfd := w.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	w.mustWrite(wfd, 0, "first\n")
	rfd := r.mustOpen(h.Path("f"), unix.O_RDONLY)
	if got := r.mustRead(rfd, 0, 100); got != "first\n" {
		t.Errorf("the reader sees %q", got)
	}
	w.mustWrite(wfd, 6, "second\n")
	if got := r.mustRead(rfd, 0, 100); got != "first\nsecond\n" {
		t.Errorf("the reader sees %q", got)
	}
	w.mustClose(wfd)
	r.mustClose(rfd)
	if got := b.Content("f"); got != "first\nsecond\n" {
		t.Errorf("the bucket has %q", got)
	}
}
