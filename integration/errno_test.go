package integration

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// What is not supported, or cannot be a key, is refused at once with the errno that
// SEMANTICS names.
func TestErrnos(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "both", "file\n"))
	e.Must(b.S3.Put(e.Timeout(time.Minute), "both/below", "x\n"))
	h := b.Mount("one").Expect("refus|not supported|EPERM|ENOTSUP|EILSEQ|EXDEV")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "f\n")
	f.mustPut(h.Path("g"), "g\n")
	e.Sh(h.Mountpoint, "mkdir d; echo x > d/x; mkdir -p $(printf '%0250d/' 1 2 3 4)")
	long := strings.Repeat("a", 256)
	// The directories' key has 1,004 bytes: 20 more are the most a key may have.
	deep := e.Sh(h.Mountpoint, "printf '%0250d/' 1 2 3 4")
	const w = unix.O_WRONLY | unix.O_CREAT
	for _, tt := range []struct {
		name string
		call fileCall
		want unix.Errno
	}{
		{"hard link", fileCall{Op: "link", Path: h.Path("f"), To: h.Path("l")}, unix.EPERM},
		{"device node", fileCall{Op: "mknod", Path: h.Path("dev")}, unix.ENOTSUP},
		{"exchange", fileCall{Op: "exchange", Path: h.Path("f"), To: h.Path("g")}, unix.EINVAL},
		{"rename onto what is there", fileCall{Op: "noreplace", Path: h.Path("f"), To: h.Path("g")}, unix.EEXIST},
		{"rename of a directory", fileCall{Op: "rename", Path: h.Path("d"), To: h.Path("e")}, unix.EXDEV},
		{"rename of a file onto a directory", fileCall{Op: "rename", Path: h.Path("f"), To: h.Path("d")}, unix.EISDIR},
		{"unlink of a directory", fileCall{Op: "unlink", Path: h.Path("d")}, unix.EISDIR},
		{"exclusive create", fileCall{Op: "open", Path: h.Path("f"), Flags: w | unix.O_EXCL}, unix.EEXIST},
		{"name of 256 bytes", fileCall{Op: "open", Path: h.Path(long), Flags: w}, unix.ENAMETOOLONG},
		{"key of 1,024 bytes", fileCall{Op: "open", Path: h.Path(deep, strings.Repeat("k", 20)), Flags: w}, 0},
		{"key of 1,025 bytes", fileCall{Op: "open", Path: h.Path(deep, strings.Repeat("k", 21)), Flags: w}, unix.ENAMETOOLONG},
		{"reserved name", fileCall{Op: "open", Path: h.Path(".latchfs/bucket.json"), Flags: unix.O_RDONLY}, unix.ENOENT},
		{"xattr that is not there", fileCall{Op: "getxattr", Path: h.Path("f"), To: "user.none"}, unix.ENODATA},
		{"capability", fileCall{Op: "getxattr", Path: h.Path("f"), To: "security.capability"}, unix.ENODATA},
		{"open of a directory for write", fileCall{Op: "open", Path: h.Path("d"), Flags: unix.O_WRONLY}, unix.EISDIR},
	} {
		if r := <-f.begin(tt.call); r.Errno != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, r.Errno, tt.want)
		}
	}
	if o := e.TrySh(h.Mountpoint, `touch $'\xff\xfe'`); !strings.Contains(o.Err, "Invalid or incomplete multibyte") {
		t.Errorf("a name that is not UTF-8: %q", o.Err)
	}
	// A key beside keys below it: the directory has the name, the object is not hidden.
	names := e.Sh(h.Mountpoint, "ls; cat both/below")
	if !strings.Contains(names, "both\n") || !strings.HasSuffix(names, "x\n") || strings.Count(names, "both") != 2 {
		t.Errorf("ls shows %q", names)
	}
}

// The descriptor belongs to the file, not to its name.
func TestRenameWhileOpen(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	f, g := newFiles(e), newFiles(e)
	fd := f.mustOpen(h.Path("a"), unix.O_RDWR|unix.O_CREAT)
	f.mustWrite(fd, 0, "first\n")
	if _, err := g.call(fileCall{Op: "rename", Path: h.Path("a"), To: h.Path("b")}); err != nil {
		t.Fatalf("rename: %v", err)
	}
	g.mustPut(h.Path("a"), "second\n")
	f.mustWrite(fd, 6, "more\n")
	if got := f.mustRead(fd, 0, 100); got != "first\nmore\n" {
		t.Errorf("the descriptor reads %q", got)
	}
	f.mustClose(fd)
	if got := g.mustGet(h.Path("a")) + g.mustGet(h.Path("b")); got != "second\nfirst\nmore\n" {
		t.Errorf("a and b read %q", got)
	}
	if got := b.Content("a") + b.Content("b"); got != "second\nfirst\nmore\n" {
		t.Errorf("the bucket has %q", got)
	}
}

// A removed file goes on for who has it open, and leaves nothing in the bucket.
func TestUnlinkWhileOpen(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	f, g := newFiles(e), newFiles(e)
	f.mustPut(h.Path("a"), "old\n")
	fd := f.mustOpen(h.Path("a"), unix.O_RDWR)
	if _, err := g.call(fileCall{Op: "unlink", Path: h.Path("a")}); err != nil {
		t.Fatalf("unlink: %v", err)
	}
	f.mustWrite(fd, 4, "more\n")
	if got := f.mustRead(fd, 0, 100); got != "old\nmore\n" {
		t.Errorf("the descriptor reads %q", got)
	}
	g.mustPut(h.Path("a"), "new\n")
	f.mustClose(fd)
	if got := b.Content("a"); got != "new\n" {
		t.Errorf("the bucket has %q", got)
	}
	if keys := b.KeysBelow(""); len(keys) != 1 {
		t.Errorf("the bucket has %q", keys)
	}
}
