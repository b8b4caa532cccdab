package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A logged is a line of latchfs log --json.
type logged struct {
	Path      string
	VersionID string `json:"version_id"`
	Size      int64
	Mode      string
	Host      string
	What      string
	From      string
	Base      string
	Current   bool
	Command   string
}

// TestHistoryCommands: log, cat and diff tell the same of a file by whatever path it is named: below the
// mount, one of a prefix or a bound directory, by a link or relative, in .versions, by its key. They
// work as long as the bucket answers, and with the caller's credentials alone.
func TestHistoryCommands(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one").Expect("recover|dead|cleared")
	e.Sh(h.Mountpoint, `mkdir -p d/sub && echo one >d/f && echo two >>d/f && chmod 600 d/f && echo x >d/sub/x && echo at >d/f@1h && rm d/sub/x`)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "d/f", "by another tool\n"))
	ids := b.VersionsOf("d/f")
	if len(ids) != 4 {
		t.Fatalf("%d versions of d/f: %v", len(ids), ids)
	}
	run := func(args ...string) harness.Output {
		t.Helper()
		return e.Start(h.Command(args...)).Wait(time.Minute)
	}
	prints := func(want string, args ...string) {
		t.Helper()
		if o := run(args...); o.Code != 0 || o.Out != want || o.Err != "" {
			t.Errorf("%q: exit code %d, %q, %q; want %q", args, o.Code, o.Out, o.Err, want)
		}
	}
	lines := func(args ...string) (all []logged) {
		t.Helper()
		o := run(append(args, "--json")...)
		if o.Code != 0 {
			t.Fatalf("%q: exit code %d, %q", args, o.Code, o.Err)
		}
		for line := range strings.Lines(o.Out) {
			var l logged
			e.Must(json.Unmarshal([]byte(line), &l))
			all = append(all, l)
		}
		return all
	}

	var whats []string
	for i, l := range lines("log", h.Path("d/f")) {
		whats = append(whats, fmt.Sprintf("%s %s %s %d", l.What, l.Host, l.Mode, l.Size))
		if l.Path != h.Path("d/f") || l.Current != (i == 0) || l.What == "meta" && l.Base == "" {
			t.Errorf("line %d of log: %+v", i, l)
		}
	}
	if want := []string{"foreign   16", "meta one 100600 8", "write one 100644 8", "write one 100644 4"}; !slices.Equal(whats, want) {
		t.Errorf("log: %q, want %q", whats, want)
	}
	if o := run("log", "-r", "--deleted", h.Mountpoint); o.Code != 0 || !strings.Contains(o.Out, "latchfs undelete "+h.Path("d/sub/x")+"\n") || strings.Count(o.Out, "\n") != 2 {
		t.Errorf("what is deleted: %q, %q", o.Out, o.Err)
	}
	prints("A d/\nA d/f\nA d/f@1h\nA d/sub/\n", "diff", "-r", h.Mountpoint+"@2000-01-01")
	if o := run("diff", h.Path("d/f")+"@~3", h.Path("d/f@~2")); o.Code != 0 || !strings.HasSuffix(o.Out, "\n one\n+two\n") {
		t.Errorf("diff: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}

	// Ways to name the same.
	link := filepath.Join(e.Dir, "link")
	e.Must(os.Symlink(h.Path("d"), link))
	bound := e.Mkdir("bound")
	e.Must(unix.Mount(h.Path("d"), bound, "", unix.MS_BIND, ""))
	defer unix.Unmount(bound, unix.MNT_DETACH)
	version := strings.Fields(e.Sh(h.Mountpoint, "ls d/.versions/f"))[1]
	for _, path := range []string{h.Path("d/f@~2"), link + "/f@~2", bound + "/f@~2", h.Path("d/../d//f@~2"), h.Path("d/f@" + version), h.Path("d/.versions/f", version)} {
		prints("one\ntwo\n", "cat", path)
	}
	prints("at\n", "cat", h.Path("d/f@1h")) // a file of that name
	prints("one\n", "cat", h.Path("d/f"), "--version-id", "first")
	prints("x\n", "cat", h.Path("d/sub/x@~1"))
	prints("one\n", append([]string{"cat"}, append(b.ConnectionFlags(), b.Source()+"/d/f@~3")...)...)
	cmd := h.Command("cat", "f@~3")
	cmd.Dir = h.Path("d")
	if o := e.Start(cmd).Wait(time.Minute); o.Out != "one\n" {
		t.Errorf("a relative path: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	part := b.Host("part")
	part.Prefix = "d"
	part.Mount()
	prints("one\n", "cat", part.Path("f@~3"))

	// Bad input is one line.
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"log", e.Dir}, 1, "is not below a mount of latchfs"},
		{[]string{"log", h.Path("never")}, 1, "nothing is, or was, at"},
		{[]string{"log", h.Path("d")}, 2, "write latchfs log -r"},
		{[]string{"cat", h.Path("d/f@nope")}, 1, "no such version"},
		{[]string{"cat", h.Path("d/sub/x")}, 1, "was deleted at"},
		{[]string{"cat", h.Path(".latchfs/bucket.json")}, 2, "the program's own"},
		{append([]string{"log"}, append(b.ConnectionFlags(), b.Source()+"-none/f")...), 1, "does not exist"},
	} {
		if o := run(tt.args...); o.Code != tt.code || o.Out != "" || !oneLine(o.Err) || !strings.Contains(o.Err, tt.says) {
			t.Errorf("%q: exit code %d, %q, %q; want %d and one line with %q", tt.args, o.Code, o.Out, o.Err, tt.code, tt.says)
		}
	}

	// Another user is told how root's mount reaches the bucket, and has to have credentials of his own.
	program, err := suite.Latchfs()
	e.Must(err)
	e.Sh(e.Suite.Root(), "chmod 755 . "+e.Dir+" && cp -L "+program+" "+e.Dir)
	as := fmt.Sprintf("setpriv --reuid %d --regid %[1]d --clear-groups env -i HOME=/none AWS_EC2_METADATA_DISABLED=true ", bob)
	if o := e.TrySh(e.Dir, as+"./latchfs cat "+h.Path("d/f@~3")); o.Code != 1 || o.Out != "" || !strings.Contains(o.Err, "no AWS credentials were found") {
		t.Errorf("another user without credentials: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	keys := fmt.Sprintf("AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s ", b.Server().AccessKey, b.Server().SecretKey)
	if o := e.TrySh(e.Dir, as+keys+"./latchfs cat "+h.Path("d/f@~3")); o.Code != 0 || o.Out != "one\n" {
		t.Errorf("another user with credentials: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}

	// Neither a stopped nor a dead mount is asked for a path in .versions, and a dead one for none.
	h.Signal(unix.SIGSTOP)
	prints("by another tool\n", "cat", h.Path(".versions/@/1s/d/f"))
	h.Signal(unix.SIGCONT)
	h.Crash()
	prints("one\ntwo\n", "cat", h.Path("d/f@~2"))
	h.Mount()
}
