package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// pid is the process of the only mount of the state directory.
func (b background) pid() int {
	b.Helper()
	found, _ := filepath.Glob(filepath.Join(b.state, "*", "mount.json"))
	if len(found) != 1 {
		b.Fatalf("sessions: %q", found)
	}
	var m struct{ PID int }
	text, err := os.ReadFile(found[0])
	b.Must(err)
	b.Must(json.Unmarshal(text, &m))
	return m.PID
}

// eventuallyLogged waits until a log has the text.
func (b background) eventuallyLogged(path, text string) {
	b.Helper()
	b.Eventually(30*time.Second, func() error {
		log, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(log), text) {
			err = fmt.Errorf("%q is not in the log %s:\n%s", text, path, log)
		}
		return err
	})
}

// The log is moved, as logrotate does it, and SIGHUP makes the mount begin a new one.
func TestHangupReopensTheLog(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := newBackground(e, filepath.Join(e.Dir, "state"))
	mnt := e.Mkdir("mnt")
	b.mount(mnt)
	moved := filepath.Join(b.state, "latchfs.log-20261128")
	e.Must(os.Rename(b.log(0), moved))
	e.TrySh(mnt, "mkfifo between")
	b.eventuallyLogged(moved, "between")
	e.Must(unix.Kill(b.pid(), unix.SIGHUP))
	b.eventuallyLogged(b.log(0), "SIGHUP")
	e.TrySh(mnt, "echo x > f; ln f after")
	b.eventuallyLogged(b.log(0), "key=after")
	b.umount(mnt)
	if log, err := os.ReadFile(moved); err != nil || strings.Contains(string(log), "after") || !strings.Contains(string(log), "msg=mounted") {
		t.Errorf("what was moved has %q, %v", log, err)
	}
	b.stopServer(b.data)
}

// Of the signals that are not meant to end a mount none does: it goes on, and says nothing.
func TestSignalsThatDoNotEndAMount(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := newBackground(e, filepath.Join(e.Dir, "state"))
	mnt := e.Mkdir("mnt")
	b.mount(mnt)
	pid := b.pid()
	all := []unix.Signal{unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM, unix.SIGCHLD, unix.SIGCONT,
		unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGURG, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGVTALRM, unix.SIGPROF,
		unix.SIGWINCH, unix.SIGIO, unix.SIGPWR}
	for s := unix.Signal(35); s <= 64; s++ {
		all = append(all, s)
	}
	for i, s := range all {
		e.Must(unix.Kill(pid, s))
		if got := e.Sh(mnt, fmt.Sprintf("echo %d > f; cat f", i)); got != fmt.Sprintf("%d\n", i) {
			t.Fatalf("after %s cat says %q", s, got)
		}
	}
	b.umount(mnt)
	if n := strings.Count(b.logged(), "\n"); n > 5 { // two of a new folder, mounted, SIGHUP, unmounted
		t.Errorf("the log has %d lines:\n%s", n, b.logged())
	}
	b.stopServer(b.data)
}

// A signal that asks the runtime for a trace leaves it in the log, and the next mount finds
// everything.
func TestSignalsThatDumpStacks(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := newBackground(e, filepath.Join(e.Dir, "state"))
	mnt := e.Mkdir("mnt")
	for i, s := range []unix.Signal{unix.SIGQUIT, unix.SIGABRT, unix.SIGSEGV} {
		b.mount(mnt)
		f := newFiles(e)
		f.mustPut(filepath.Join(mnt, fmt.Sprint("closed", i)), "closed\n")
		e.Must(unix.Kill(b.pid(), s))
		b.Eventually(30*time.Second, func() error {
			if _, err := os.ReadDir(mnt); err == nil {
				return fmt.Errorf("it still answers after %s", s)
			}
			return nil
		})
		log := b.logged()
		if !strings.Contains(log, unix.SignalName(s)) || strings.Count(log, "goroutine ") < 5 {
			t.Errorf("%s leaves no trace in the log:\n%s", s, log)
		}
		e.Must(os.Truncate(b.log(0), 0))
	}
	b.mount(mnt)
	if got := e.Sh(mnt, "cat closed*"); got != "closed\nclosed\nclosed\n" {
		t.Errorf("cat says %q", got)
	}
	b.umount(mnt)
	b.stopServer(b.data)
}

// The reader of a foreground mount's log ends: the log is lost, not the mount.
func TestLogReaderEnds(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Host("one")
	r, w, err := os.Pipe()
	e.Must(err)
	// What of the mount's goes to its standard error comes here.
	program, err := suite.Latchfs()
	e.Must(err)
	sh := exec.Command("sh", append([]string{"-c", `exec "$0" "$@" 2>&3`, program}, h.MountArgs()...)...)
	sh.Env, sh.ExtraFiles = h.Environ(), []*os.File{w}
	mount := e.Start(sh)
	w.Close()
	e.Eventually(time.Minute, func() error { return some(e.Mounts(), "mount") })
	e.Sh(h.Mountpoint, "echo 1 > f")
	r.Close()
	if got := e.Sh(h.Mountpoint, "echo 2 >> f; mkfifo p || cat f"); got != "1\n2\n" {
		t.Errorf("cat says %q", got)
	}
	if o := e.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint)).Wait(time.Minute); o.Code != 0 {
		t.Errorf("umount: exit code %d\n%s", o.Code, o.Err)
	}
	if o := mount.Wait(time.Minute); o.Code != 0 {
		t.Errorf("the mount ended with exit code %d", o.Code)
	}
}

// A foreground mount whose terminal goes away ends as by SIGTERM. As long as the terminal is there,
// and where there never was one, it goes on.
func TestHangupOfATerminal(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Host("one")
	// The mount leads a session of its own on a new terminal, as with ssh -t. Half a line is said
	// for each step.
	const terminal = `
import os, pty, signal, sys, time
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[2], sys.argv[2:])
log = b''
while b'msg=mounted' not in log: log += os.read(fd, 4096)
os.kill(pid, signal.SIGHUP)
while b'SIGHUP' not in log: log += os.read(fd, 4096)
time.sleep(0.5)
with open(os.path.join(sys.argv[1], 'f'), 'w') as f: f.write('saved\n')
open_file = open(os.path.join(sys.argv[1], 'open'), 'w')
open_file.write('unsaved\n'); open_file.flush()
os.close(fd)
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status))
`
	program, err := suite.Latchfs()
	e.Must(err)
	cmd := exec.Command("python3", append([]string{"-c", terminal, h.Mountpoint, program}, h.MountArgs()...)...)
	cmd.Env = h.Environ()
	o := e.Start(cmd).Wait(time.Minute)
	// As after SIGTERM: a file that is open and was written to stays in the spool.
	if o.Code != 0 || o.Out != "3\n" {
		t.Fatalf("it says %q (exit code %d, %s), want that the mount ended with 3", o.Out, o.Code, o.Err)
	}
	if h.Mounted() {
		t.Error("it is still mounted")
	}
	if got := b.Content("f"); got != "saved\n" {
		t.Errorf("the bucket has %q", got)
	}
	h.Expect("recover|closed when its mount died").Mount()
	e.Eventually(30*time.Second, func() error { return some(b.KeysBelow("open.recovered-"), "recovered file") })
	h.Signal(unix.SIGHUP) // it has no terminal
	if !h.Logs("SIGHUP: log and credentials are read anew") {
		t.Error("a mount that never had a terminal does not go on after SIGHUP")
	}
	newFiles(e).mustPut(h.Path("g"), "x\n")
	h.Umount()
}

// SIGHUP makes bucket and lock table use the keys that stand in the file now; a file without keys
// leaves the old ones.
func TestHangupRereadsCredentials(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	s := b.Server()
	file := filepath.Join(e.Mkdir("home/.aws"), "credentials")
	write := func(key string) {
		t.Helper()
		e.Must(os.WriteFile(file, fmt.Appendf(nil, "[p]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key, s.SecretKey), 0o600))
	}
	write(s.AccessKey)
	p, locks := b.Proxy(), b.LockProxy()
	h := b.Through(p.URL).LocksThrough(locks.URL).Mount("one", "--profile", "p").Expect("failed|SIGHUP")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "1\n")

	const other = "AKIAOTHER"
	signedBy := func(key string) func(harness.Request) bool {
		return func(r harness.Request) bool {
			return strings.Contains(r.Header.Get("Authorization"), "Credential="+key+"/")
		}
	}
	write(other)
	if n := len(p.Seen(signedBy(other))); n != 0 {
		t.Errorf("%d requests are signed with keys that nobody was told of", n)
	}
	h.Signal(unix.SIGHUP)
	if !h.Logs("SIGHUP: log and credentials are read anew") {
		t.Fatal("SIGHUP does nothing")
	}
	if _, err := f.get(h.Path("f")); err != unix.EACCES {
		t.Errorf("read with keys that the server does not know: %v, want EACCES", err)
	}
	e.Eventually(10*time.Second, func() error {
		if len(p.Seen(signedBy(other))) == 0 || len(locks.Seen(signedBy(other))) == 0 {
			return fmt.Errorf("bucket or lock table are asked with the old keys")
		}
		return nil
	})
	write(s.AccessKey)
	h.Signal(unix.SIGHUP)
	e.Eventually(30*time.Second, func() error {
		_, err := f.get(h.Path("f"))
		return err
	})
	e.Must(os.WriteFile(file, []byte("[p]\n"), 0o600))
	h.Signal(unix.SIGHUP)
	if !h.Logs("there are no new credentials, the old ones stay") {
		t.Error("a file without keys is not told of")
	}
	f.mustPut(h.Path("f"), "2\n")
	if got := b.Content("f"); got != "2\n" {
		t.Errorf("the bucket has %q", got)
	}
	h.Umount()
}
