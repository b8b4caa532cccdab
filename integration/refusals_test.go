package integration

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

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
         rename_dir, lock, lambda i: os.mknod('.versions/f/x%d' % i), lambda i: open(b'\xff%d' % i, 'w')]
def refused(call, n):
    try: call(n)
    except OSError: return
    sys.exit('call %d was not refused' % n)
for n in range(3): refused(open_locked, n) # each waits until the lock table has answered
end, n = time.time() + 4, 0
while time.time() < end:
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
	for what, times := range map[string]int{"op=link errno=EPERM": rounds, "op=rename errno=EXDEV": rounds, "op=open errno=EAGAIN": 3} {
		count := regexp.MustCompile(`msg="refused again" mount=\S+ ` + what + ` last=\S+ times=(\d+) `).FindStringSubmatch(log)
		if count == nil || count[1] != fmt.Sprint(times-1) {
			t.Errorf("%s came %d times and was told once, then %q:\n%s", what, times, count, log)
		}
	}
}
