package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// attributes gives mode, owner, group and mtime of a name as a mount shows them.
func attributes(e *harness.Env, h *harness.Host, name string) string {
	e.Helper()
	return strings.TrimSpace(e.Sh(h.Mountpoint, "stat -c '%a %u %g %Y' '"+name+"'"))
}

// keptAttributes waits for the file that was kept beside a file, and gives its attributes.
func keptAttributes(e *harness.Env, h *harness.Host, name, kind string) string {
	e.Helper()
	prefix := name + "." + kind + "-" + h.Hostname + "-"
	e.Eventually(30*time.Second, func() error { return some(h.KeysBelow(prefix), kind+" file of "+name) })
	time.Sleep(1100 * time.Millisecond) // until the mount believes nothing older
	return attributes(e, h, h.KeysBelow(prefix)[0])
}

// A program has a file open for write and dirty when the mount is killed. What chmod and chown by
// name had answered before, no matter who called them, is true of the file afterwards and of what
// is kept beside it; what fchmod had answered, whose program never closed, at least of the latter.
// SEMANTICS G5
func TestAttributesSurviveKill(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Brief)
	h := b.Mount("one").Expect("recover")
	f, other := newFiles(e), newFiles(e)
	names := []string{"by-name-before", "by-name", "by-descriptor"}
	for _, name := range names {
		f.mustPut(h.Path(name), "old\n")
		e.Sh(h.Mountpoint, "chmod 644 "+name)
		fd := f.mustOpen(h.Path(name), unix.O_RDWR)
		change := func() {
			t.Helper()
			who, calls := other, []fileCall{{Op: "chown", Path: h.Path(name), N: 1000}, {Op: "chmod", Path: h.Path(name), N: 0o600}}
			if name == "by-descriptor" {
				who, calls = f, []fileCall{{Op: "fchmod", FD: fd, N: 0o600}}
			}
			for _, c := range calls {
				if _, err := who.call(c); err != nil {
					t.Fatalf("%s: %v", c.Op, err)
				}
			}
		}
		if name == "by-name-before" {
			change()
			f.mustWrite(fd, 0, "dirty\n")
		} else {
			f.mustWrite(fd, 0, "dirty\n")
			change()
		}
	}
	h.Kill()
	h.Mount()
	for _, name := range names {
		want := "600 1000 1000 "
		if name == "by-descriptor" {
			want = "600 0 0 "
		}
		if got := keptAttributes(e, h, name, "recovered"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: the recovered file has the attributes %s, want %s", name, got, want)
		}
		if got := attributes(e, h, name); !strings.HasPrefix(got, want) && name != "by-descriptor" {
			t.Errorf("%s: chmod and chown returned 0 before the crash, and the file has the attributes %s, want %s", name, got, want)
		}
		if got := b.Content(name); got != "old\n" {
			t.Errorf("%s: the file is %q", name, got)
		}
	}
}

// What is kept beside a file has its mode, owner and times as they were on this host, so that
// nobody reads there what he might not read in the file.
// SEMANTICS G5, Attributes and times
func TestKeptFilesHaveTheAttributesOfTheFile(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Brief)
	h := b.Mount("one").Expect("recover|conflict|changed")
	const private, at = 0o600, 1_000_000_000
	want := fmt.Sprintf("%o 1000 1000 %d", private, at)
	f := newFiles(e)
	open := func(name string, exists bool) int {
		t.Helper()
		if exists {
			e.Sh(h.Mountpoint, fmt.Sprintf("echo secret > %s; chmod %o %[1]s; chown 1000:1000 %[1]s", name, private))
		}
		fd := f.mustOpen(h.Path(name), unix.O_RDWR|unix.O_CREAT)
		f.mustWrite(fd, 0, "more secret\n")
		if !exists {
			for _, c := range []fileCall{{Op: "fchmod", FD: fd, N: private}, {Op: "chown", Path: h.Path(name), N: 1000}} {
				if _, err := f.call(c); err != nil {
					t.Fatalf("%s: %v", c.Op, err)
				}
			}
		}
		if _, err := f.call(fileCall{Op: "futimes", FD: fd, Off: at}); err != nil {
			t.Fatalf("futimes: %v", err)
		}
		return fd
	}
	cases := []struct {
		name   string
		exists bool
		kind   string
	}{
		{"saved-recovered", true, "recovered"}, {"new-recovered", false, "recovered"},
		{"saved-conflict", true, "conflict"}, {"new-conflict", false, "conflict"},
	}
	for _, tt := range cases {
		fd := open(tt.name, tt.exists)
		if tt.kind == "conflict" {
			e.Must(b.S3.Put(e.Timeout(time.Minute), tt.name, "theirs\n"))
			if err := f.close(fd); err != unix.ESTALE {
				t.Errorf("%s: close: %v, want ESTALE", tt.name, err)
			}
		}
	}
	h.Kill()
	h.Mount()
	for _, tt := range cases {
		if got := keptAttributes(e, h, tt.name, tt.kind); got != want {
			t.Errorf("%s: the %s file has the attributes %s, want %s", tt.name, tt.kind, got, want)
		}
	}
}
