package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A background is a mount of a folder that logs to a file.
type background struct {
	local
	state, data string
}

// newBackground readies a folder and its embedded server; state is made if it is missing.
func newBackground(e *harness.Env, state string) background {
	return background{newLocal(e), state, filepath.Join(e.Dir, "data")}
}

func (b background) mount(mnt string, flags ...string) {
	b.Helper()
	args := append([]string{"mount", "--state-dir", b.state}, flags...)
	if o := b.latchfs(append(args, "local:data", mnt)...); o.Code != 0 {
		b.Fatalf("mount: exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}
}

func (b background) umount(mnt string) {
	b.Helper()
	if o := b.latchfs("umount", "--state-dir", b.state, mnt); o.Code != 0 {
		b.Fatalf("umount: exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}
}

// log is the path of the log, or of the one that was full so many files ago.
func (b background) log(ago int) string {
	path := filepath.Join(b.state, "latchfs.log")
	if ago > 0 {
		path += fmt.Sprint(".", ago)
	}
	return path
}

// logged is all that is in the log and those that were full before it.
func (b background) logged() string {
	b.Helper()
	var all strings.Builder
	for ago := 3; ago >= 0; ago-- {
		text, err := os.ReadFile(b.log(ago))
		if err != nil && !os.IsNotExist(err) {
			b.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// Two mounts that share a log fill it: it is set aside while they run, and no line is missing.
func TestLogRotatesWhileRunning(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := newBackground(e, filepath.Join(e.Dir, "state"))
	one, two := e.Mkdir("one"), e.Mkdir("two")
	b.mount(one, "--log-level", "debug", "--metadata-ttl", "1h")
	b.mount(two, "--log-level", "debug", "--metadata-ttl", "1h")
	// Each refusal is a line at this level.
	out := e.Sh(e.Dir, `python3 - one two state/latchfs.log.1 <<'END'
import os, sys, time
n, end = 0, time.time() + 100
while not os.path.exists(sys.argv[3]) and time.time() < end:
    for path in sys.argv[1:3]:
        for i in range(100):
            try: os.chmod(path, 0o700)
            except OSError: n += 1
print(n)
END`)
	calls, err := strconv.Atoi(strings.TrimSpace(out))
	e.Must(err)
	b.umount(one)
	b.umount(two)
	if n := strings.Count(b.logged(), "msg=refused mount="); n != calls {
		t.Errorf("%d calls were refused, and %d are in the log", calls, n)
	}
	for ago := range 2 {
		if i, err := os.Stat(b.log(ago)); err != nil || i.Size() > 9<<20 || i.Mode().Perm() != 0o600 {
			t.Errorf("the log of %d files ago: %v, %v; want a private file of 8 MiB", ago, i, err)
		}
	}
	b.stopServer(b.data)
}

// The disk that the log is on is full: the mount goes on, and when there is room again the log says
// that lines are missing.
func TestLogOnAFullDisk(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	state := e.Mkdir("disk")
	e.Must(unix.Mount("tmpfs", state, "tmpfs", 0, "size=2m,mode=0700"))
	defer unix.Unmount(state, unix.MNT_DETACH)
	b := newBackground(e, state)
	mnt := e.Mkdir("mnt")
	b.mount(mnt, "--log-level", "debug")
	e.Sh(mnt, "echo hello > f")
	fill := filepath.Join(state, "fill")
	if o := e.TrySh(e.Dir, "cat /dev/zero > "+fill); o.Code == 0 {
		t.Fatal("the disk does not become full")
	}
	// More lines than fit into the page that the log has already.
	if got := e.Sh(mnt, "for i in $(seq 200); do ls no$i 2> /dev/null || cat f; done | uniq -c"); strings.TrimSpace(got) != "200 hello" {
		t.Errorf("on a full disk cat says %q", got)
	}
	e.Must(os.Remove(fill))
	if got := e.Sh(mnt, "echo more >> f; cat f"); got != "hello\nmore\n" {
		t.Errorf("cat says %q", got)
	}
	b.umount(mnt)
	log := b.logged()
	if !strings.Contains(log, `msg="lines of the log are missing" mount=`) || !strings.Contains(log, "no space left on device") {
		t.Error("the log does not say that lines are missing")
	}
	for line := range strings.Lines(log) {
		if strings.LastIndex(line, "time=") > 0 {
			t.Errorf("two lines in one: %q", line)
		}
	}
	b.stopServer(b.data)
}
