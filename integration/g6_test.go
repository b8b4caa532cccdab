package integration

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A version's name: time to the second, order within it, start of the version id.
var versionName = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\dZ\.\d{3,}~\S+$`)

// .versions/NAME/ lists, reads and restores what was closed, deletions included.
// SEMANTICS G6
func TestG6VersionsListReadRestore(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	for i := range 4 {
		e.Sh(h.Mountpoint, fmt.Sprintf("mkdir -p d; echo version %d > d/f", i))
	}
	e.Sh(h.Mountpoint, "rm d/f; echo after > d/f; echo x > d/gone; rm d/gone")

	names := strings.Fields(e.Sh(h.Mountpoint, "ls d/.versions/f"))
	if len(names) != 6 {
		t.Fatalf("%d names, want 4 versions, a deletion and a version: %q", len(names), names)
	}
	for i, want := range []string{"version 0\n", "version 1\n", "version 2\n", "version 3\n", "~deleted", "after\n"} {
		if !versionName.MatchString(names[i]) {
			t.Errorf("name %q", names[i])
		}
		if want == "~deleted" {
			if !strings.HasSuffix(names[i], want) {
				t.Errorf("%q does not say that it is a deletion", names[i])
			}
			continue
		}
		if got := e.Sh(h.Mountpoint, "cat d/.versions/f/"+names[i]); got != want {
			t.Errorf("%s reads %q, want %q", names[i], got, want)
		}
		if got, want := strings.TrimSpace(e.Sh(h.Mountpoint, "stat -c %s d/.versions/f/"+names[i])), fmt.Sprint(len(want)); got != want {
			t.Errorf("%s has size %s, want %s", names[i], got, want)
		}
	}
	if again := strings.Fields(e.Sh(h.Mountpoint, "ls d/.versions/f")); strings.Join(again, " ") != strings.Join(names, " ") {
		t.Errorf("the names changed: %q, %q", names, again)
	}
	// Names that are gone are listed where they were; the view itself is not.
	if got := e.Sh(h.Mountpoint, "ls d/.versions"); got != "f\ngone\n" {
		t.Errorf("d/.versions lists %q", got)
	}
	if got := e.Sh(h.Mountpoint, "ls -a d"); strings.Contains(got, ".versions") {
		t.Errorf("ls -a lists the view: %q", got)
	}
	e.Sh(h.Mountpoint, "cp d/.versions/f/"+names[1]+" d/f; cp d/.versions/gone/$(ls d/.versions/gone | head -1) d/gone")
	if got := b.Content("d/f"); got != "version 1\n" {
		t.Errorf("restored: %q", got)
	}
	if got := b.Content("d/gone"); got != "x\n" {
		t.Errorf("restored: %q", got)
	}
	// A deleted directory is listed and has a view of its own.
	e.Sh(h.Mountpoint, "rm -r d")
	if got := e.Sh(h.Mountpoint, "ls .versions; ls .versions/d/.versions || ls d/.versions"); !strings.Contains(got, "d\n") || !strings.Contains(got, "gone\n") {
		t.Errorf("after rm -r the views list %q", got)
	}
}

// The view refuses every change.
// SEMANTICS G6
func TestG6VersionsAreReadOnly(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one").Expect("EPERM|not permitted|read-only|.versions")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "1\n")
	name := strings.TrimSpace(e.Sh(h.Mountpoint, "ls .versions/f"))
	version := h.Path(".versions/f", name)
	for _, tt := range []struct {
		name string
		call fileCall
		want unix.Errno
	}{
		{"open for write", fileCall{Op: "open", Path: version, Flags: unix.O_WRONLY}, unix.EROFS},
		{"create", fileCall{Op: "open", Path: h.Path(".versions/f/new"), Flags: unix.O_WRONLY | unix.O_CREAT}, unix.EROFS},
		{"truncate", fileCall{Op: "truncate", Path: version}, unix.EROFS},
		{"chmod", fileCall{Op: "chmod", Path: version, N: 0o600}, unix.EROFS},
		{"mkdir", fileCall{Op: "mkdir", Path: h.Path(".versions/new")}, unix.EROFS},
		{"symlink", fileCall{Op: "symlink", Path: h.Path(".versions/f/l"), To: "x"}, unix.EROFS},
		{"unlink", fileCall{Op: "unlink", Path: version}, unix.EPERM},
		{"rename", fileCall{Op: "rename", Path: version, To: h.Path("g")}, unix.EROFS},
		{"rename into it", fileCall{Op: "rename", Path: h.Path("f"), To: h.Path(".versions/f/g")}, unix.EROFS},
		{"rmdir", fileCall{Op: "rmdir", Path: h.Path(".versions/f")}, unix.EPERM},
	} {
		if _, err := f.call(tt.call); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if got := f.mustGet(version); got != "1\n" {
		t.Errorf("the version reads %q", got)
	}
	if n := len(b.VersionsOf("f")); n != 1 {
		t.Errorf("%d versions", n)
	}
	// Foreign versions of the same key are listed too.
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "2\n"))
	e.Eventually(10*time.Second, func() error {
		if n := len(strings.Fields(e.Sh(h.Mountpoint, "ls .versions/f"))); n != 2 {
			return fmt.Errorf("%d versions are listed", n)
		}
		return nil
	})
}
