package integration

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// An open that waits for a second, and one that ends with EBUSY, name in the log who has the lock;
// the first also who waits, and that while it waits.
func TestWaitingOpensAreLogged(t *testing.T) {
	t.Parallel()
	for _, lock := range []harness.Lock{harness.OnDynamoDB, harness.OnS3} {
		t.Run(map[harness.Lock]string{harness.OnDynamoDB: "DynamoDB", harness.OnS3: "S3"}[lock], func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(lock, harness.Patient)
			one, two := b.Mount("one"), b.Mount("two", "--log-level", "info", "--lock-timeout", "5s")
			f, g := newFiles(e), newFiles(e)
			f.mustPut(one.Path("f"), "x\n")
			fd := f.mustOpen(one.Path("f"), unix.O_RDWR)
			f.mustWrite(fd, 0, "y")
			waiting := g.begin(fileCall{Op: "open", Path: two.Path("f"), Flags: unix.O_RDWR})
			holder := fmt.Sprintf(`one \(root, pid %d\) since \S+`, one.PID())
			line := regexp.MustCompile(fmt.Sprintf(`msg="an open waits" mount=%s op=open key=f holder="%s" pid=%d program=\S+ uid=0\n`,
				two.Mountpoint, holder, g.process.Cmd.Process.Pid))
			e.Eventually(4*time.Second, func() error {
				if !line.MatchString(two.Log()) {
					return fmt.Errorf("no line of %s in:\n%s", line, two.Log())
				}
				return nil
			})
			select {
			case r := <-waiting:
				t.Fatalf("the open does not wait: %+v", r)
			default:
			}
			if _, err := g.within(30*time.Second, waiting); err != unix.EBUSY {
				t.Errorf("open: %v, want EBUSY", err)
			}
			refused := regexp.MustCompile(`msg=refused mount=\S+ op=open errno=EBUSY key=f err=.*is locked by ` + holder)
			e.Eventually(10*time.Second, func() error {
				if !refused.MatchString(two.Log()) {
					return fmt.Errorf("no line of %s in:\n%s", refused, two.Log())
				}
				return nil
			})
			f.mustClose(fd)
		})
	}
}

// Several mounts may have one log: each line says whose it is.
func TestEachLineNamesItsMount(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := newBackground(e, filepath.Join(e.Dir, "state"))
	mounts := []string{e.Mkdir("one"), e.Mkdir("two")}
	for _, mnt := range mounts {
		b.mount(mnt, "--log-level", "debug")
	}
	for _, mnt := range mounts {
		e.TrySh(mnt, "echo x > f; ln f g; mkdir d; mv d e; cat f; ls .versions/f; flock f true")
	}
	for _, mnt := range mounts {
		b.umount(mnt)
	}
	seen := map[string]int{}
	for line := range strings.Lines(b.logged()) {
		for _, mnt := range mounts {
			if strings.Contains(line, " mount="+mnt+" ") || strings.HasSuffix(line, " mount="+mnt+"\n") {
				seen[mnt]++
				line = ""
			}
		}
		if line != "" {
			t.Errorf("no mount is named: %s", line)
		}
	}
	if len(seen) != 2 {
		t.Errorf("lines of each mount: %v", seen)
	}
	b.stopServer(b.data)
}
