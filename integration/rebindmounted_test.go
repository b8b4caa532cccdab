package integration

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A mount that was stopped while another host gave the bucket another lock table can save nothing more.
// What the log and LOCKS P1 say of it holds: unmounted, it ends, and the next mount saves what was closed, as a
// conflict if somebody else has written it.
func TestRebindOfAStoppedMount(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	h := b.Mount("one", "--flush-timeout", "4s").Expect("lock|could not be saved|goes on|kept in the spool|not in the bucket yet|EIO|ESTALE|EACCES|conflict")
	f := newFiles(e)
	var open []int
	for _, name := range []string{"mine", "theirs"} {
		f.mustPut(h.Path(name), "before\n")
		fd := f.mustOpen(h.Path(name), unix.O_WRONLY)
		f.mustWrite(fd, 0, "closed\n")
		open = append(open, fd)
	}
	h.Signal(unix.SIGSTOP)
	e.Cleanup(func() {
		if h.Running() {
			h.Signal(unix.SIGCONT)
		}
	})
	args := append(append([]string{"init", "--rebind", "--yes"}, b.ConnectionFlags()...), "--lock", b.LockFlag()+"-other",
		"--beat", b.Times.Beat.String(), "--lease", b.Times.Lease.String(), "--delay", b.Times.Delay.String(), b.Source())
	if o := onAnotherHost(b, args...); o.Code != 0 || !strings.Contains(o.Out, "names lock table") {
		t.Fatalf("--rebind: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	e.Must(b.S3.Put(e.Timeout(time.Minute), "theirs", "other\n"))
	h.Signal(unix.SIGCONT)
	for _, fd := range open {
		if err := f.close(fd); err == nil {
			t.Error("a close says that all is saved")
		}
	}
	if !h.Logs("unmount and mount again") {
		t.Error("the log does not say what to do")
	}
	o := e.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint)).Wait(30 * time.Second)
	if o.Code != 3 || !oneLine(o.Err) || !strings.Contains(o.Err, "mine (7 B") || !strings.Contains(o.Err, "theirs (7 B") {
		t.Errorf("umount: exit code %d, %q, %q; want 3 and both files", o.Code, o.Out, o.Err)
	}
	if o := h.WaitEnd(30 * time.Second); o.Code != 3 || strings.Count(h.Log(), "bound to another lock table now") != 1 {
		t.Errorf("the mount ended with exit code %d", o.Code)
	}
	h.Mount()
	e.Eventually(30*time.Second, func() error {
		if got := b.Content("mine"); got != "closed\n" {
			return some([]string(nil), "content of mine that was closed, but "+got)
		}
		return some(keptIn(e, b, "theirs", "conflict"), "conflict file")
	})
	if kept := strings.Join(keptIn(e, b, "theirs", "conflict"), ""); kept != "closed\n" || b.Content("theirs") != "other\n" {
		t.Errorf("the conflict file has %q, and the file %q", kept, b.Content("theirs"))
	}
}

// onAnotherHost runs a command of latchfs that sees no mounts and no registry of this host.
func onAnotherHost(b *harness.Bucket, args ...string) harness.Output {
	b.Helper()
	program, err := b.Suite.Latchfs()
	b.Must(err)
	// The mounts of the tests are shared with copies of their namespace: what is mounted here must not come back, and what is unmounted there must go here too.
	const hidden = `mount --make-rslave / && mount -t tmpfs none /run && exec "$0" "$@"`
	cmd := exec.Command("sh", append([]string{"-c", hidden, program}, args...)...)
	cmd.Env = append(b.Environ(), "XDG_RUNTIME_DIR=/run", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	return b.Start(cmd).Wait(2 * time.Minute)
}
