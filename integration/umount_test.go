package integration

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// closeWithHeldUpload begins a close whose upload does not get through.
func closeWithHeldUpload(e *harness.Env, h *harness.Host, p *harness.Proxy, f *files) <-chan fileResult {
	e.Helper()
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	f.mustWrite(fd, 0, "late\n")
	p.Inject(on("/f", harness.Busy))
	closing := f.begin(fileCall{Op: "close", FD: fd})
	e.Eventually(30*time.Second, func() error {
		return some(p.Seen(func(r harness.Request) bool { return r.Method == http.MethodPut && strings.HasSuffix(r.Path, "/f") }), "PUT of f")
	})
	return closing
}

// umount of latchfs returns only when everything is in the bucket.
func TestUmountWaits(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one", "--flush-timeout", "4s").Expect("kept in the spool|saving a file goes on")
	f := newFiles(e)
	closing := closeWithHeldUpload(e, h, p, f)
	if _, err := f.within(time.Minute, closing); err != unix.EIO {
		t.Errorf("close: %v, want EIO when its time is up", err)
	}
	umount := e.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint))
	select {
	case <-umount.Done():
		t.Fatalf("umount returned though the file is not saved: %s%s", umount.Out.String(), umount.Err.String())
	case <-time.After(2 * time.Second):
	}
	p.Inject(nil)
	if o := umount.Wait(time.Minute); o.Code != 0 {
		t.Errorf("umount: exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}
	if got := b.Content("f"); got != "late\n" {
		t.Errorf("the bucket has %q", got)
	}
	if o := h.WaitEnd(10 * time.Second); o.Code != 0 {
		t.Errorf("the mount ended with exit code %d", o.Code)
	}
}

// umount(8) returns at once and the daemon finishes in the background.
func TestPlainUmountFinishesBehind(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one", "--flush-timeout", "4s").Expect("kept in the spool|saving a file goes on")
	f := newFiles(e)
	if _, err := f.within(time.Minute, closeWithHeldUpload(e, h, p, f)); err != unix.EIO {
		t.Errorf("close: %v, want EIO when its time is up", err)
	}
	e.Sh(e.Dir, "umount "+h.Mountpoint)
	if h.Mounted() {
		t.Error("umount(8) returned and it is still mounted")
	}
	p.Inject(nil)
	if o := h.WaitEnd(time.Minute); o.Code != 0 {
		t.Errorf("the mount ended with exit code %d", o.Code)
	}
	if got := b.Content("f"); got != "late\n" {
		t.Errorf("the bucket has %q", got)
	}
}

// A copy of the mount in another namespace keeps it alive. umount says so once, and what it tells to
// run, done to the letter, ends it.
func TestUmountOfACopyElsewhere(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	// Unlike those of InNamespace its mounts do not go when they go here; those of other tests must.
	other := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c",
		`grep ' fuse.latchfs ' /proc/self/mounts | cut -d' ' -f2 | grep -vxF "$1" | xargs -rn1 umount -l; exec cat`, "sh", h.Mountpoint)
	in, err := other.StdinPipe()
	e.Must(err)
	holder := e.Start(other)
	e.Eventually(10*time.Second, func() error {
		program, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", other.Process.Pid))
		if err == nil && string(program) != "cat\n" {
			err = errors.New("the other namespace is not ready")
		}
		return err
	})
	umount := e.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint))
	says := regexp.MustCompile(fmt.Sprintf(`latchfs: it is still mounted in another mount namespace, at %s in that of cat \(pid %d\): run (nsenter .*), or end what runs there\n`,
		regexp.QuoteMeta(h.Mountpoint), other.Process.Pid))
	e.Eventually(20*time.Second, func() error {
		return some(says.FindAllString(umount.Err.String(), -1), "line that says where it is mounted")
	})
	if h.Mounted() {
		t.Error("it is still mounted here")
	}
	time.Sleep(3 * time.Second) // for a second report
	e.Sh(e.Dir, says.FindStringSubmatch(umount.Err.String())[1])
	if o := umount.Wait(time.Minute); o.Code != 0 || len(says.FindAllString(o.Err, -1)) != 1 {
		t.Errorf("umount: exit code %d, said %q; want 0, and where it is mounted once", o.Code, o.Err)
	}
	if o := h.WaitEnd(time.Minute); o.Code != 0 {
		t.Errorf("the mount ended with exit code %d", o.Code)
	}
	e.Must(in.Close())
	holder.Wait(10 * time.Second)
}

// A busy mount is not unmounted, and the message names who uses it.
func TestUmountBusy(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	o := e.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint)).Wait(time.Minute)
	if o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "pid") {
		t.Errorf("umount: exit code %d, %q, want 1 and a line that names the process", o.Code, o.Err)
	}
	if !h.Mounted() {
		t.Error("it was unmounted all the same")
	}
	f.mustWrite(fd, 0, "x\n")
	f.mustClose(fd)
	h.Umount()
}

// As long as a close waits for the bucket nothing can be unmounted: the message says which process
// waits, and for which. It is not parallel: the processes of other tests wait for file systems too.
func TestUmountDuringAClose(t *testing.T) {
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("saving a file goes on")
	f := newFiles(e)
	closing := closeWithHeldUpload(e, h, p, f)
	o := e.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint)).Wait(time.Minute)
	waits := fmt.Sprintf("(pid %d) waits until pid %d, which serves it, has saved ", f.process.Cmd.Process.Pid, h.PID())
	if o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, waits) {
		t.Errorf("umount: exit code %d, %q, want 1 and a line with %q", o.Code, o.Err, waits)
	}
	p.Inject(nil)
	if _, err := f.within(time.Minute, closing); err != nil {
		t.Errorf("close: %v", err)
	}
	h.Umount()
}

// SIGTERM: what is closed is in the bucket, a file that is open and dirty stays in the
// spool and is named, exit code 3; the next mount recovers it.
func TestTermLeavesOpenFilesInTheSpool(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	h := b.Mount("one").Expect("open|spool|unsaved|recover|remain")
	f := newFiles(e)
	f.mustPut(h.Path("closed"), "closed\n")
	fd := f.mustOpen(h.Path("dirty"), unix.O_WRONLY|unix.O_CREAT)
	f.mustWrite(fd, 0, "dirty\n")
	h.Signal(unix.SIGTERM)
	o := h.WaitEnd(30 * time.Second)
	if o.Code != 3 {
		t.Errorf("exit code %d, want 3", o.Code)
	}
	if !strings.Contains(o.Err, "dirty") || !strings.Contains(o.Err, "again with --state-dir "+h.StateDir+" ") {
		t.Errorf("the file, or what saves it, is not named in %q", o.Err)
	}
	if h.Mounted() {
		t.Error("still mounted after the exit")
	}
	if keys := b.KeysBelow(""); strings.Join(keys, " ") != "closed" {
		t.Errorf("the bucket has %q", keys)
	}
	h.Mount()
	e.Eventually(30*time.Second, func() error { return some(b.KeysBelow("dirty.recovered-one-"), "recovered file") })
	if got := b.Content(b.KeysBelow("dirty.recovered-one-")[0]); got != "dirty\n" {
		t.Errorf("recovered: %q", got)
	}
}

// SIGTERM with nothing open is a clean end; a second signal is not waited for.
func TestTermCleanAndTwice(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one", "--flush-timeout", "60s").Expect("flush|commit|SlowDown|signal|spool|recover")
	f := newFiles(e)
	f.mustPut(h.Path("g"), "1\n")
	h.Signal(unix.SIGTERM)
	if o := h.WaitEnd(30 * time.Second); o.Code != 0 {
		t.Errorf("exit code %d, want 0", o.Code)
	}
	h.Mount()
	closing := closeWithHeldUpload(e, h, p, f)
	h.Signal(unix.SIGTERM)
	select {
	case <-closing:
		t.Error("SIGTERM did not wait for a commit that is under way")
	case <-time.After(time.Second):
	}
	late := newFiles(e)
	for _, name := range []string{"g", "late"} {
		if _, err := late.open(h.Path(name), unix.O_WRONLY|unix.O_CREAT); err != unix.EIO {
			t.Errorf("open of %s after SIGTERM: %v, want EIO", name, err)
		}
	}
	start := time.Now()
	h.Signal(unix.SIGTERM)
	if o := h.WaitEnd(30 * time.Second); o.Code == 0 {
		t.Error("exit code 0 after a second signal with a file unsaved")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("a second signal was obeyed after %s", d)
	}
	unix.Unmount(h.Mountpoint, unix.MNT_DETACH) // what exits at once may leave it
	p.Inject(nil)
	h.Mount()
	e.Eventually(30*time.Second, func() error { return some(b.KeysBelow("f"), "f in the bucket") })
	if got := b.Content("f"); got != "late\n" {
		t.Errorf("the bucket has %q", got)
	}
}

// A dead mount that a crash left at the mount point is cleared by the next mount.
func TestDeadMountIsCleared(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	// The kernel goes on answering stat(2) from what it believes.
	h := b.Mount("one", "--metadata-ttl", "1h").Expect("dead|cleared|recover")
	newFiles(e).mustPut(h.Path("f"), "x\n")
	_, err := os.Stat(h.Mountpoint)
	e.Must(err)
	h.Crash()
	if _, err := os.ReadDir(h.Mountpoint); err == nil {
		t.Fatal("the mount point of a crashed mount answers")
	}
	h.StartMount()
	f := newFiles(e)
	e.Eventually(30*time.Second, func() error {
		got, err := f.get(h.Path("f"))
		if err != nil {
			return err
		}
		return equal(got, "x\n")
	})
	h.Umount()
	if h.Mounted() {
		t.Error("the dead mount is still below")
	}
}

// An unmount that comes when a recovery has saved everything and is about to say so waits
// for that: nothing of the dead session is left.
func TestUmountDuringRecovery(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("recover")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	f.mustWrite(fd, 0, "unsaved\n")
	h.Kill()
	sessions := map[string]bool{}
	for _, r := range p.Seen(func(r harness.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.Path, "/v1/session/")
	}) {
		sessions[r.Path] = true
	}
	if len(sessions) != 1 {
		t.Fatalf("the dead mount had the sessions %v", sessions)
	}
	// Of the dead session's record one write says that it is dead, the last that it is closed:
	// that one's answer, and all later ones, are held up.
	var writes atomic.Int32
	closing, release := make(chan struct{}), make(chan struct{})
	p.Alter(func(r *http.Response) {
		if !sessions[r.Request.URL.Path] {
			return
		}
		if r.Request.Method == http.MethodPut && writes.Add(1) == 2 {
			close(closing)
		}
		if writes.Load() >= 2 {
			<-release
		}
	})
	h.StartMount()
	select {
	case <-closing:
	case <-time.After(30 * time.Second):
		t.Fatal("the dead session was not closed")
	}
	h.WaitMounted() // it does not wait for this recovery
	umount := e.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint))
	e.Eventually(10*time.Second, func() error {
		if h.Mounted() {
			return errors.New("still mounted")
		}
		return nil
	})
	close(release)
	if o := umount.Wait(30 * time.Second); o.Code != 0 {
		t.Errorf("umount: exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}
	if o := h.WaitEnd(10 * time.Second); o.Code != 0 {
		t.Errorf("the mount ended with exit code %d", o.Code)
	}
	if got := b.KeysBelow("f.recovered-one-"); len(got) != 1 {
		t.Errorf("recovered files: %q", got)
	}
}
