package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// With -f the service manager learns READY=1 once the mount is there, and STOPPING=1 as soon as it
// ends, by whichever way; the socket has a path or an abstract name. No process started by the
// mount knows the socket.
func TestNotify(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	l := newLocal(e)
	state, data := filepath.Join(e.Dir, "state"), filepath.Join(e.Dir, "data")
	for name, end := range map[string]func(p *harness.Process, mnt string){
		filepath.Join(e.Dir, "s"): func(p *harness.Process, _ string) { e.Must(p.Cmd.Process.Signal(unix.SIGTERM)) },
		"@" + e.Dir:               func(_ *harness.Process, mnt string) { e.Sh("/", "umount "+mnt) },
	} {
		mnt := e.Mkdir("mnt" + name[:1])
		manager := listen(e, name)
		cmd := l.command(name, "mount", "-f", "--state-dir", state, "local:data", mnt)
		p := e.Start(cmd)
		manager.expect("READY=1")
		if len(e.Mounts()) != 1 {
			t.Errorf("%s: ready with the mounts %q", name, e.Mounts())
		}
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", l.serverPID(data)))
		if err != nil || strings.Contains(string(environ), "NOTIFY_SOCKET") {
			t.Errorf("%s: the environment of latchfs-local is %q, %v", name, environ, err)
		}
		manager.silent()
		end(p, mnt)
		manager.expect("STOPPING=1")
		if o := p.Wait(time.Minute); o.Code != 0 {
			t.Errorf("%s: exit code %d, %s", name, o.Code, o.Err)
		}
		manager.silent()
		l.stopServer(data)
	}
}

// A mount in the background says nothing, a command that fails neither, and a manager that is not there
// does not keep the mount from working.
func TestNotifyNobody(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	l := newLocal(e)
	state, data, mnt := filepath.Join(e.Dir, "state"), filepath.Join(e.Dir, "data"), e.Mkdir("mnt")
	name := filepath.Join(e.Dir, "s")
	manager := listen(e, name)
	if o := e.Start(l.command(name, "mount", "-f", "--state-dir", state, "local:data", mnt+"/no")).Wait(time.Minute); o.Code != 1 {
		t.Errorf("a mount that fails: exit code %d, %s", o.Code, o.Err)
	}
	if o := e.Start(l.command(name, "mount", "--state-dir", state, "local:data", mnt)).Wait(time.Minute); o.Code != 0 {
		t.Fatalf("exit code %d, %s", o.Code, o.Err)
	}
	if o := e.Start(l.command(name, "umount", "--state-dir", state, mnt)).Wait(time.Minute); o.Code != 0 {
		t.Fatalf("exit code %d, %s", o.Code, o.Err)
	}
	manager.silent()
	e.Must(manager.Close())
	e.Must(os.Remove(name))

	p := e.Start(l.command(name, "mount", "-f", "--state-dir", state, "local:data", mnt))
	e.Eventually(time.Minute, func() error { return equal(e.Sh("/", "mountpoint -q "+mnt+" && echo yes || true"), "yes\n") })
	e.Must(p.Cmd.Process.Signal(unix.SIGTERM))
	if o := p.Wait(time.Minute); o.Code != 0 || !strings.Contains(o.Err, "the service manager does not learn") {
		t.Errorf("exit code %d, %s", o.Code, o.Err)
	}
	l.stopServer(data)
}

// command is a command with a service manager.
func (l local) command(socket string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(l.bin, "latchfs"), args...)
	cmd.Dir = l.Dir
	cmd.Env = append(l.Environ(), "PATH="+l.bin+":"+os.Getenv("PATH"), "NOTIFY_SOCKET="+socket)
	return cmd
}

// A manager is the socket of a service manager.
type manager struct {
	*net.UnixConn
	e *harness.Env
}

func listen(e *harness.Env, name string) manager {
	e.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	e.Must(err)
	e.Cleanup(func() { c.Close() })
	return manager{c, e}
}

// expect waits for the next state.
func (m manager) expect(state string) {
	m.e.Helper()
	m.e.Must(m.SetReadDeadline(time.Now().Add(time.Minute)))
	b := make([]byte, 1000)
	if n, err := m.Read(b); err != nil || string(b[:n]) != state {
		m.e.Fatalf("the service manager hears %q (%v), want %q", b[:n], err, state)
	}
}

// silent fails if something was said. A datagram is there as soon as it was sent.
func (m manager) silent() {
	m.e.Helper()
	m.e.Must(m.SetReadDeadline(time.Now().Add(100 * time.Millisecond)))
	b := make([]byte, 1000)
	if n, err := m.Read(b); err == nil {
		m.e.Errorf("the service manager hears %q", b[:n])
	}
}
