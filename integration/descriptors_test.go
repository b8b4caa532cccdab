package integration

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// Pages of a mapping go where they were changed, though the kernel may send them through a
// descriptor that appends.
func TestMappingBesideAppend(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "0123456789")
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR|unix.O_APPEND)
	if _, err := f.call(fileCall{Op: "map", FD: fd, Off: 2, Data: []byte("xy")}); err != nil {
		t.Fatal(err)
	}
	f.mustWrite(fd, 0, "ab") // Linux: pwrite(2) appends all the same
	f.mustClose(fd)
	if got := b.Content("f"); got != "01xy456789ab" {
		t.Errorf("the object is %q", got)
	}
}

// A descriptor that only reads goes with its file as far as there is one: what others here
// do to it shows, also after chmod; once its name is another file's it keeps what it has. A
// directory that was removed does not come back.
func TestDescriptorOfWhatWasChanged(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one := b.Mount("one")
	f, other := newFiles(e), newFiles(e)
	fstat := func(fd int) string {
		r, err := f.call(fileCall{Op: "fstat", FD: fd})
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Data)
	}
	call := func(want error, c fileCall) {
		t.Helper()
		if _, err := f.call(c); err != want && (err != nil || want != nil) {
			t.Errorf("%s: %v, want %v", c.Op, err, want)
		}
	}
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}

	f.mustPut(one.Path("f"), "one")
	fd := f.mustOpen(one.Path("f"), unix.O_RDONLY)
	call(nil, fileCall{Op: "fchmod", FD: fd, N: 0o600})
	other.mustPut(one.Path("f"), "second")
	check("after chmod and a writer", f.mustRead(fd, 0, 100)+" "+fstat(fd), "second 100600 6 1 0")

	other.mustPut(one.Path("g"), "another")
	call(nil, fileCall{Op: "rename", Path: one.Path("g"), To: one.Path("f")})
	call(nil, fileCall{Op: "fchmod", FD: fd, N: 0o640})
	check("after a rename over it", f.mustRead(fd, 0, 100)+" "+fstat(fd), "second 100640 6 0 0")
	f.mustClose(fd)

	fd = f.mustOpen(one.Path("f"), unix.O_RDONLY)
	call(nil, fileCall{Op: "unlink", Path: one.Path("f")})
	call(nil, fileCall{Op: "futimes", FD: fd, Off: 1})
	check("after unlink", f.mustRead(fd, 0, 100)+" "+fstat(fd), "another 100644 7 0 0")
	f.mustClose(fd)

	e.Sh(one.Mountpoint, "mkdir d")
	fd = f.mustOpen(one.Path("d"), unix.O_RDONLY|unix.O_DIRECTORY)
	call(nil, fileCall{Op: "rmdir", Path: one.Path("d")})
	call(unix.ESTALE, fileCall{Op: "fchmod", FD: fd, N: 0o700})
	f.mustClose(fd)
	if keys := b.KeysBelow("d/"); len(keys) != 0 {
		t.Errorf("a directory came back: %v", keys)
	}
}
