package integration

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// What another user may ask for as often as he likes, and is refused, leaves a line for each kind,
// and how often it came when the mount ends: he cannot fill the disk that the log is on.
func TestRefusalsLeaveAFewLines(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one", "--allow-other", "--log-level", "info").Expect("ENOLCK")
	other := b.Mount("two")
	e.Sh(h.Mountpoint, "mkdir home home/d; echo x > home/f; echo x > home/locked; chmod 777 home home/d; chmod 666 home/*")
	e.Must(b.S3.Put(e.Timeout(time.Minute), "home/page/", "<html>"))
	f := newFiles(e)
	held := f.mustOpen(other.Path("home", "locked"), unix.O_RDWR)
	f.mustWrite(held, 0, "y")
	const loop = `
import fcntl, os, socket, sys, time
os.setgroups([]); os.setgid(65534); os.setuid(65534)
def rename_dir(i): os.rename('d', 'd%d' % i)
def open_locked(i): os.open('locked', os.O_RDWR | os.O_NONBLOCK)
def lock(i):
    with open('f') as f: fcntl.flock(f, fcntl.LOCK_SH)
calls = [lambda i: os.link('f', 'l%d' % i), lambda i: os.mkfifo('p%d' % i), lambda i: socket.socket(socket.AF_UNIX).bind('s%d' % i),
         rename_dir, lock, lambda i: os.rmdir('page'), lambda i: os.mknod('.versions/f/x%d' % i), lambda i: open(b'\xff%d' % i, 'w')]
def refused(call, n):
    try: call(n)
    except OSError: return
    sys.exit('call %d was not refused' % n)
for n in range(3): refused(open_locked, n) # each waits until the lock table has answered
end, n = time.time() + 4, 0
while time.time() < end or n < 50: # an rmdir asks the bucket, and others use the machine too
    for call in calls: refused(call, n)
    n += 1
print(n)
`
	out := e.Sh(h.Path("home"), "python3 - <<'END'"+loop+"END")
	rounds, err := strconv.Atoi(strings.TrimSpace(out))
	e.Must(err)
	if rounds < 50 {
		t.Errorf("%d rounds in four seconds", rounds)
	}
	f.mustClose(held)
	if n := strings.Count(h.Log(), "\n"); n > 20 {
		t.Errorf("%d rounds left %d lines:\n%s", rounds, n, h.Log())
	}
	h.Umount()
	log := h.Log()
	if n := strings.Count(log, "\n"); n > 30 {
		t.Errorf("with the counts %d lines:\n%s", n, log)
	}
	for what, times := range map[string]int{"op=link errno=EPERM": rounds, "op=rename errno=EXDEV": rounds, "op=rmdir errno=ENOTEMPTY": rounds, "op=open errno=EAGAIN": 3} {
		count := regexp.MustCompile(`msg="refused again" mount=\S+ ` + what + ` last=\S+ times=(\d+) `).FindStringSubmatch(log)
		if count == nil || count[1] != fmt.Sprint(times-1) {
			t.Errorf("%s came %d times and was told once, then %q:\n%s", what, times, count, log)
		}
	}
}

// A user who has filled the spool and goes on making files is refused, and leaves neither lines nor
// files that wait.
func TestMakingFilesOnAFullSpool(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one", "--allow-other", "--log-level", "info", "--spool-limit", "1M").Expect("no space in the spool")
	e.Sh(h.Mountpoint, "mkdir home; chmod 777 home")
	const loop = `
import errno, os, sys, time
os.setgroups([]); os.setgid(65534); os.setuid(65534)
full = os.open('full', os.O_CREAT | os.O_WRONLY)
n = 65536
while n:
    try: os.write(full, b'x' * n)
    except OSError: n //= 2
refused = 0
end, n = time.time() + 60, 0 # a loaded machine takes its time
while refused <= 100 and time.time() < end:
    n += 1
    try: os.close(os.open('new%d' % n, os.O_CREAT | os.O_WRONLY))
    except OSError as x:
        if x.errno != errno.ENOSPC: raise
        refused += 1
print(n - refused, refused > 100)
os.close(full)
`
	out := strings.Fields(e.Sh(h.Path("home"), "python3 - <<'END'"+loop+"END"))
	if made, err := strconv.Atoi(out[0]); err != nil || made > 0 || out[1] != "True" {
		t.Errorf("made and refused: %q", out)
	}
	e.Eventually(10*time.Second, func() error {
		if o := e.TrySh(h.Path("home"), "echo later > later"); o.Code != 0 {
			return fmt.Errorf("making a file when there is room: %s", o.Err)
		}
		return nil
	})
	h.Umount()
	if n := strings.Count(h.Log(), "\n"); n > 100 {
		t.Errorf("%d lines:\n%s", n, h.Log())
	}
}
