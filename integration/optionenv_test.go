package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What -o env.NAME=VALUE sets is in the environment of the mount and not among its arguments, in the
// foreground, where the process stays the one that was started, and in the background.
func TestOptionsEnvironment(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	l := newLocal(e)
	state, data, mnt, socket := filepath.Join(e.Dir, "state"), filepath.Join(e.Dir, "data"), e.Mkdir("mnt"), filepath.Join(e.Dir, "s")
	manager := listen(e, socket)
	flags := []string{"--state-dir", state, "-o", `env.LATCHFS_TEST_MARK=a\,hidden,ro`, "--read-only=false", "local:data", mnt}
	check := func(pid int) {
		t.Helper()
		proc := fmt.Sprintf("/proc/%d/", pid)
		if line := readText(t, proc+"cmdline"); strings.Contains(line, "hidden") || strings.Contains(line, "MARK") || !strings.Contains(line, "\x00-o\x00ro\x00") {
			t.Errorf("the command line is %q", line)
		}
		if environ := readText(t, proc+"environ"); !strings.Contains("\x00"+environ, "\x00LATCHFS_TEST_MARK=a,hidden\x00") {
			t.Errorf("the environment is %q", environ)
		}
		if got := e.Sh(mnt, "echo x > f; cat f"); got != "x\n" { // the flag wins over the word ro
			t.Errorf("cat says %q", got)
		}
	}

	p := e.Start(l.command(socket, append([]string{"mount", "-f"}, flags...)...))
	manager.expect("READY=1")
	check(p.Cmd.Process.Pid)
	e.Must(p.Cmd.Process.Signal(unix.SIGTERM))
	if o := p.Wait(time.Minute); o.Code != 0 {
		t.Errorf("exit code %d, %s", o.Code, o.Err)
	}

	if o := l.latchfs(append([]string{"mount"}, flags...)...); o.Code != 0 {
		t.Fatalf("exit code %d, %s", o.Code, o.Err)
	}
	notes, _ := filepath.Glob(filepath.Join(state, "*/mount.json"))
	if len(notes) != 1 {
		t.Fatalf("%d mounts", len(notes))
	}
	var note struct{ PID int }
	b, err := os.ReadFile(notes[0])
	e.Must(err)
	e.Must(json.Unmarshal(b, &note))
	check(note.PID)
	if o := l.latchfs("umount", "--state-dir", state, mnt); o.Code != 0 {
		t.Errorf("umount: exit code %d, %s", o.Code, o.Err)
	}
	l.stopServer(data)
}
