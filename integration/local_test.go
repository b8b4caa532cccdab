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

// local runs a command in a directory in which bin holds both programs beside each
// other, as make build leaves them.
type local struct {
	*harness.Env
	bin string
}

func newLocal(e *harness.Env) local {
	e.Helper()
	l := local{e, e.Mkdir("bin")}
	for name, get := range map[string]func() (string, error){"latchfs": suite.Latchfs, "latchfs-local": suite.LatchfsLocal} {
		path, err := get()
		e.Must(err)
		e.Must(os.Symlink(path, filepath.Join(l.bin, name)))
	}
	return l
}

func (l local) latchfs(args ...string) harness.Output {
	l.Helper()
	cmd := exec.Command(filepath.Join(l.bin, "latchfs"), args...)
	cmd.Dir = l.Dir
	cmd.Env = append(l.Environ(), "PATH="+l.bin+":"+os.Getenv("PATH"))
	return l.Start(cmd).Wait(time.Minute)
}

// stopServer ends the embedded server, which would else stay for some seconds.
func (l local) stopServer(dir string) {
	l.Helper()
	pid := l.serverPID(dir)
	l.Must(unix.Kill(pid, unix.SIGTERM))
	l.Eventually(15*time.Second, func() error {
		if err := unix.Kill(pid, 0); err == nil {
			return equal("alive", "gone")
		}
		return nil
	})
}

// serverPID is the process of the embedded server.
func (l local) serverPID(dir string) int {
	l.Helper()
	var a struct{ PID int }
	b, err := os.ReadFile(filepath.Join(dir, "server.json"))
	l.Must(err)
	l.Must(json.Unmarshal(b, &a))
	return a.PID
}

// TestLocal: a folder is mounted in the background with nothing configured, twice; it is
// unmounted and mounted again; everything is there, and the server survives a kill.
func TestLocal(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	l := newLocal(e)
	data, a, b := filepath.Join(e.Dir, "data"), e.Mkdir("a"), e.Mkdir("b")
	state := filepath.Join(e.Dir, "state")
	mount := func(mnt string) {
		t.Helper()
		if o := l.latchfs("mount", "--state-dir", state, "local:data", mnt); o.Code != 0 {
			t.Fatalf("mount: exit code %d\n%s%s", o.Code, o.Out, o.Err)
		}
	}
	umount := func(mnt string) {
		t.Helper()
		if o := l.latchfs("umount", "--state-dir", state, mnt); o.Code != 0 {
			t.Fatalf("umount: exit code %d\n%s%s", o.Code, o.Out, o.Err)
		}
	}
	mount(a) // relative to nothing: it is mounted when the command returns
	if got := e.Sh(a, "echo hello > f; cat f"); got != "hello\n" {
		t.Errorf("cat says %q", got)
	}
	mount(b)
	if got := e.Sh(b, "cat f; echo more >> f; cat f"); got != "hello\nhello\nmore\n" {
		t.Errorf("the second mount says %q", got)
	}
	if i, err := os.Stat(filepath.Join(data, "server.json")); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("server.json: %v, %v", i, err)
	}

	e.Must(unix.Kill(l.serverPID(data), unix.SIGKILL))
	// A create does not wait longer than a second for the lock table, an open for write does.
	if got := e.Sh(a, "echo more >> f; echo after > g; cat f g"); got != "hello\nmore\nmore\nafter\n" {
		t.Errorf("after the server's death: %q", got)
	}
	umount(a)
	umount(b)
	mount(a)
	if got := e.Sh(a, "cat f g; ls .versions/f | wc -l"); got != "hello\nmore\nmore\nafter\n3\n" {
		t.Errorf("mounted again: %q", got)
	}
	umount(a)
	sessions, _ := filepath.Glob(filepath.Join(state, "*", "mount.json"))
	if len(sessions) > 0 {
		t.Errorf("left behind: %q", sessions)
	}
	l.stopServer(data)
}

// TestMakeRunStop: what the README shows first.
func TestMakeRunStop(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	l := newLocal(e)
	state := e.Mkdir("state")
	// Root's state directory is below /var/lib: in a mount namespace of its own the script
	// has another one. -o build: the programs under test are built already.
	cmd := e.InNamespace("bash", "-euc", `
		mount --bind "$1" /var/lib
		make="make -s -C $2 -o build -o run-packages LATCHFS=$3/latchfs MNT=$4/mnt DATA=$4/data"
		$make run
		echo hello > $4/mnt/a; cat $4/mnt/a; ls $4/mnt/.versions/a | wc -l
		$make stop
		ls -A $4/mnt`, "make-run", state, "..", l.bin, e.Dir)
	o := e.Start(cmd).Wait(2 * time.Minute)
	if o.Code != 0 {
		t.Fatalf("exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}
	lines := strings.Split(o.Out, "\n")
	if len(lines) < 5 || !strings.Contains(lines[0], e.Dir+"/mnt") || !strings.Contains(lines[1], e.Dir+"/data") || !strings.Contains(lines[2], "make stop") {
		t.Fatalf("make run does not say in three lines where to look and how to stop:\n%s", o.Out)
	}
	if lines[3] != "hello" || lines[4] != "1" {
		t.Errorf("in the mount: %q", lines[3:])
	}
	if last := strings.TrimSpace(strings.Join(lines[5:], "")); strings.HasSuffix(last, "a") {
		t.Errorf("after make stop there is %q", last)
	}
	l.stopServer(filepath.Join(e.Dir, "data"))
}
