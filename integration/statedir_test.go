package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// unwritable mounts a host and makes its state directory useless while a file is open for write that
// has a spool file already. It checks what is common to all ways of that: what was accepted and
// what is accepted yet gets into the bucket; what is not accepted is EIO, and the log says why.
func unwritable(e *harness.Env, spoil func(h *harness.Host)) *harness.Host {
	e.Helper()
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one").Expect("state directory cannot be|spool file could not be removed|taking the device number out")
	f := newFiles(e)
	f.mustPut(h.Path("clean"), "clean\n")
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	f.mustWrite(fd, 0, "accepted\n")
	spoil(h)

	f.mustWrite(fd, 9, "too\n")
	f.mustClose(fd)
	if got := b.Content("f"); got != "accepted\ntoo\n" {
		e.Errorf("the bucket has %q", got)
	}
	fd = f.mustOpen(h.Path("clean"), unix.O_WRONLY|unix.O_APPEND)
	if err := f.write(fd, 0, "more\n"); err != unix.EIO {
		e.Errorf("write: %v, want EIO", err)
	}
	if err := f.close(fd); err != nil {
		e.Errorf("close of what accepted nothing: %v", err)
	}
	if !h.Logs("the state directory cannot be written") || !strings.Contains(h.Log(), h.StateDir) {
		e.Errorf("the log does not say what is wrong with %s", h.StateDir)
	}
	if got := f.mustGet(h.Path("clean")); got != "clean\n" {
		e.Errorf("it reads %q", got)
	}
	return h
}

// The state directory becomes read-only under a live mount, as a disk with errors does: the mount
// can be ended, and the next one on a directory that can be written cleans up. SEMANTICS G5
func TestStateDirectoryReadOnly(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := unwritable(e, func(h *harness.Host) {
		e.Must(unix.Mount(h.StateDir, h.StateDir, "", unix.MS_BIND, ""))
		e.Cleanup(func() { unix.Unmount(h.StateDir, unix.MNT_DETACH) }) // where the test has failed
		e.Must(unix.Mount("", h.StateDir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	})
	o := h.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint)).Wait(time.Minute)
	if o.Code != 1 || !strings.Contains(o.Err, "is unmounted, but what it left in the state directory "+h.StateDir) {
		t.Errorf("umount: exit code %d, %q", o.Code, o.Err)
	}
	if o := h.WaitEnd(30 * time.Second); o.Code != 1 || !strings.Contains(o.Err, "everything is in the bucket, but the state directory "+h.StateDir) {
		t.Errorf("the mount: exit code %d, %q", o.Code, o.Err)
	}
	e.Must(unix.Unmount(h.StateDir, 0))
	h.Mount()
	if got := e.Sh(h.Mountpoint, "ls; cat clean f"); got != "clean\nf\nclean\naccepted\ntoo\n" {
		t.Errorf("mounted again: %q", got)
	}
	h.Umount()
}

// The session directory is removed under a live mount: latchfs umount cannot find the mount any
// more and says what can. SEMANTICS G5
func TestStateDirectoryRemoved(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := unwritable(e, func(h *harness.Host) {
		sessions, err := filepath.Glob(filepath.Join(h.StateDir, "*", "mount.json"))
		e.Must(err)
		for _, s := range sessions {
			e.Must(os.RemoveAll(filepath.Dir(s)))
		}
	})
	o := h.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint)).Wait(time.Minute)
	if o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, h.StateDir) || !strings.Contains(o.Err, "run umount "+h.Mountpoint) {
		t.Errorf("umount: exit code %d, %q", o.Code, o.Err)
	}
	e.Must(unix.Unmount(h.Mountpoint, 0))
	if o := h.WaitEnd(30 * time.Second); o.Code != 0 {
		t.Errorf("the mount ended with exit code %d: %s", o.Code, o.Err)
	}
}

// The disk of the state directory is full when its host mounts again after a crash: the refusal
// says that what the crash left is only saved once there is room, and then it is. SEMANTICS G5
func TestStateDirectoryFullAfterACrash(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Brief)
	h := b.Host("one").Expect("recover|not closed when its mount died")
	e.Must(os.Mkdir(h.StateDir, 0o700))
	e.Must(unix.Mount("tmpfs", h.StateDir, "tmpfs", 0, "size=1m,mode=0700"))
	e.Cleanup(func() { unix.Unmount(h.StateDir, unix.MNT_DETACH) })
	h.Mount()
	f := newFiles(e)
	f.mustWrite(f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT), 0, "accepted\n")
	h.Kill()
	fill := filepath.Join(h.StateDir, "fill")
	if err := os.WriteFile(fill, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	o := h.Start(h.Command(h.MountArgs()...)).Wait(time.Minute)
	if o.Code != 1 || !strings.Contains(o.Err, "no space left on device: mend that, since only a mount with it saves what an earlier one left there") {
		t.Errorf("mount: exit code %d, %q", o.Code, o.Err)
	}
	e.Must(os.Remove(fill))
	h.Mount()
	e.Eventually(time.Minute, func() error { return some(b.KeysBelow("f.recovered-one-"), "recovered file") })
	h.Umount()
}
