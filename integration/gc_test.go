package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A gcLine is a line of latchfs gc --json.
type gcLine struct {
	Kind, Name, Why string
	Rest            float64 `json:"rest_seconds"`
	Removed         *bool
	Error           string
}

// gcOf runs latchfs gc over a bucket and the state directory of a host.
func gcOf(b *harness.Bucket, h *harness.Host, flags ...string) []gcLine {
	b.Helper()
	args := append([]string{"gc", "--json", "--state-dir", h.StateDir}, b.ConnectionFlags()...)
	o := b.Latchfs(append(append(args, flags...), b.Source())...)
	if o.Code != 0 {
		b.Fatalf("gc: exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}
	var lines []gcLine
	for text := range strings.Lines(o.Out) {
		var l gcLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			b.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// gcCount tells how many lines are of a kind, and fails if one of them was not removed though that
// was asked for.
func gcCount(t testing.TB, lines []gcLine, kind string) (n int) {
	t.Helper()
	for _, l := range lines {
		if l.Removed != nil && !*l.Removed || l.Error != "" {
			t.Errorf("%s %s was not removed: %s", l.Kind, l.Name, l.Error)
		}
		if l.Kind == kind {
			n++
		}
	}
	return n
}

// What a mount that was killed has left goes, and nothing that a living mount needs: its session,
// its lock, what it has not saved.
func TestGC(t *testing.T) {
	t.Parallel()
	for name, locks := range map[string]harness.Lock{"DynamoDB": harness.OnDynamoDB, "S3": harness.OnS3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(locks, harness.Mortal)
			f := newFiles(e)
			one, two := b.Mount("one").Expect("dead"), b.Mount("two")
			fd := f.mustOpen(two.Path("open"), unix.O_RDWR|unix.O_CREAT)
			f.mustWrite(fd, 0, "not saved yet")
			f.mustPut(one.Path("f"), "1\n")
			if lines := gcOf(b, one); gcCount(t, lines, "state")+gcCount(t, lines, "session") != 0 {
				t.Errorf("of two living mounts it finds %+v", lines)
			}
			one.Kill()

			if lines := gcOf(b, one); gcCount(t, lines, "state") != 1 {
				t.Errorf("of a dead mount it finds %+v", lines)
			}
			if lines := gcOf(b, one, "--yes"); gcCount(t, lines, "state") != 1 {
				t.Errorf("it removes %+v", lines)
			}
			if lines := gcOf(b, one, "--yes"); gcCount(t, lines, "session") != 1 || gcCount(t, lines, "state") != 0 {
				t.Errorf("of the session that is closed now it removes %+v", lines)
			}
			if lines := gcOf(b, one); len(lines) != 0 {
				t.Errorf("nothing should be left, it finds %+v", lines)
			}

			f.mustWrite(fd, 0, "NOT")
			f.mustClose(fd)
			if got := b.Content("open"); got != "NOT saved yet" {
				t.Errorf("the bucket has %q", got)
			}
			two.Umount()
		})
	}
}

// A folder that is not there is not made by looking at it.
func TestGCMakesNoFolder(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	program, err := suite.Latchfs()
	e.Must(err)
	dir := filepath.Join(e.Dir, "none")
	o := e.Start(exec.Command(program, "gc", "--state-dir", filepath.Join(e.Dir, "state"), "local:"+dir)).Wait(time.Minute)
	if o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "latchfs init local:"+dir) {
		t.Errorf("exit code %d, %q", o.Code, o.Err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made")
	}
}

// A session directory in which something waits is not found, whatever else is.
func TestGCKeepsWhatWaits(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	h := b.Mount("one").Expect("recover|dead")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR|unix.O_CREAT)
	f.mustWrite(fd, 0, "accepted")
	h.Kill()
	f.close(fd)
	if lines := gcOf(b, h, "--yes"); gcCount(t, lines, "state") != 0 {
		t.Errorf("it removes %+v", lines)
	}
	h.Mount()
	found := false
	for _, key := range b.KeysBelow("") {
		found = found || strings.HasPrefix(key, "f.recovered-") && b.Content(key) == "accepted"
	}
	if !found {
		t.Errorf("what was accepted is gone: the bucket has %q", b.KeysBelow(""))
	}
}
