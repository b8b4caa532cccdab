package integration

import (
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

// umount -l takes the mount out of sight; files that are open go on, and the process ends
// when the last one is closed.
func TestP7LazyUnmount(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR|unix.O_CREAT)
	f.mustWrite(fd, 0, "before\n")
	e.Sh(e.Dir, "umount -l "+h.Mountpoint)
	if h.Mounted() {
		t.Error("it is still mounted")
	}
	f.mustWrite(fd, 7, "after\n")
	if got := f.mustRead(fd, 0, 100); got != "before\nafter\n" {
		t.Errorf("reads %q", got)
	}
	f.mustClose(fd)
	if got := b.Content("f"); got != "before\nafter\n" {
		t.Errorf("the bucket has %q", got)
	}
	if o := h.WaitEnd(30 * time.Second); o.Code != 0 {
		t.Errorf("the mount ended with exit code %d", o.Code)
	}
}

// The kernel's side is cut off (an administrator writes to abort): what was accepted is
// named, and recovered by the next mount.
// SEMANTICS G5
func TestP7ConnectionAborted(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one").Expect("spool|recover")
	control := e.Mkdir("connections")
	e.Must(unix.Mount("none", control, "fusectl", 0, ""))
	defer unix.Unmount(control, unix.MNT_DETACH)
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR|unix.O_CREAT)
	f.mustWrite(fd, 0, "accepted\n")
	var st unix.Stat_t
	e.Must(unix.Stat(h.Mountpoint, &st))
	e.Must(os.WriteFile(filepath.Join(control, fmt.Sprint(unix.Minor(st.Dev)), "abort"), []byte("1\n"), 0))
	if err := f.close(fd); err == nil {
		t.Error("close returned 0 though nobody was told of it")
	}
	o := h.WaitEnd(30 * time.Second)
	if o.Code != 3 || !strings.Contains(o.Err, "f (9 B") {
		t.Errorf("exit code %d, want 3 and the file named:\n%s", o.Code, o.Err)
	}
	if h.Mounted() {
		t.Error("it is still mounted")
	}
	h.Mount()
	e.Eventually(30*time.Second, func() error { return some(b.KeysBelow("f.recovered-one-"), "recovered file") })
	if got := b.Content(b.KeysBelow("f.recovered-one-")[0]); got != "accepted\n" {
		t.Errorf("recovered: %q", got)
	}
}

// SIGTERM while a program writes: every byte that was accepted is in the bucket, or in the
// spool and recovered from there.
// SEMANTICS G5
func TestP7TermWhileWriting(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one").Expect("spool|recover|open|shutting")
	f := newFiles(e)
	for round := range 3 {
		name := fmt.Sprint("f", round)
		fd := f.mustOpen(h.Path(name), unix.O_RDWR|unix.O_CREAT)
		if err := f.fsync(fd); err != nil { // open and clean, in two of the rounds when the signal comes
			t.Fatal(err)
		}
		if round == 0 {
			f.mustWrite(fd, 0, "0")
		}
		h.Signal(unix.SIGTERM)
		var accepted int
		for accepted = 0; ; accepted++ {
			if err := f.write(fd, int64(accepted), "0"); err != nil {
				break
			}
		}
		f.close(fd)
		h.WaitEnd(30 * time.Second)
		h.Mount()
		if accepted == 0 {
			continue
		}
		want := strings.Repeat("0", accepted)
		e.Eventually(30*time.Second, func() error {
			for _, key := range b.KeysBelow(name) {
				if b.Content(key) == want {
					return nil
				}
			}
			return fmt.Errorf("%d bytes were accepted, the bucket has %q", accepted, b.KeysBelow(name))
		})
	}
}

// The embedded server is killed under load and is started again. No program sees that, except that
// a create, which keeps the kernel's lock of the directory, waits a second for the lock table and no
// longer: on a machine that is slow to start the server it gets EIO, and works when tried again.
// SEMANTICS G5
func TestP7LocalServerKilled(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	l := newLocal(e)
	data, mnt, state := filepath.Join(e.Dir, "data"), e.Mkdir("mnt"), filepath.Join(e.Dir, "state")
	if o := l.latchfs("mount", "--state-dir", state, "local:data", mnt); o.Code != 0 {
		t.Fatalf("mount: exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}
	defer func() {
		if o := l.latchfs("umount", "--state-dir", state, mnt); o.Code != 0 {
			t.Errorf("umount: exit code %d\n%s%s", o.Code, o.Out, o.Err)
		}
		l.stopServer(data)
	}()
	var writers []*harness.Process
	for w := range 3 {
		cmd := exec.Command("bash", "-euc", fmt.Sprintf(`
			make() {
				for try in $(seq 20); do
					said=$( { echo $1 > $2; } 2>&1) && return
					case $said in *"Input/output error") sleep 0.2;; *) break;; esac
				done
				echo "$said"; exit 1
			}
			make 0 same%[1]d
			for i in $(seq 100); do make $i f%[1]d-$i; echo more >> f%[1]d-$i; echo $i > same%[1]d; done`, w))
		cmd.Dir = mnt
		writers = append(writers, e.Start(cmd))
	}
	dead := 0
	for range 2 {
		time.Sleep(700 * time.Millisecond)
		e.Eventually(time.Minute, func() error {
			pid := l.serverPID(data)
			if pid == dead {
				return fmt.Errorf("the server has not been started again")
			}
			dead = pid
			return unix.Kill(pid, unix.SIGKILL)
		})
	}
	for w, p := range writers {
		if o := p.Wait(time.Minute); o.Code != 0 {
			t.Errorf("writer %d: exit code %d\n%s%s", w, o.Code, o.Out, o.Err)
		}
	}
	e.Sh(mnt, `for w in 0 1 2; do for i in $(seq 100); do test "$(cat f$w-$i)" = "$i
more" || { echo f$w-$i: $(cat f$w-$i); exit 1; }; done; test $(cat same$w) = 100; test $(ls .versions/same$w | wc -l) = 101; done
		test $(ls | wc -l) = 303`)
}
