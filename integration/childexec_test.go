package integration

import (
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// A file whose attributes were changed while it is open is published by its own close, and not when a
// child process closes the descriptor that it has inherited: whose descriptors are open is told by
// the inode number. SEMANTICS G5: a half-written file never appears under its own name.
func TestChildPublishesNoHalfWrittenFile(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two", "--metadata-ttl", "0")
	for name, change := range map[string]string{
		"nothing":   "pass",
		"fchmod":    "os.fchmod(fd, 0o600)",
		"chmod":     "os.chmod(path, 0o600)",
		"fchown":    "os.fchown(fd, 5, 6)",
		"futimens":  "os.utime(fd, (1, 1))",
		"ftruncate": "os.ftruncate(fd, 4)",
	} {
		o := e.Run(time.Minute, "python3", "-c", `
import os, sys
path, elsewhere = sys.argv[1:]
fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
os.write(fd, b'half')
`+change+`
for child in range(2):
    pid = os.fork()
    if pid == 0 and child == 0:
        os.close(fd)
        os._exit(0)
    if pid == 0: os.execvp('true', ['true'])
    os.waitpid(pid, 0)
    if os.path.exists(elsewhere): sys.exit('the half-written file is published')
os.write(fd, b' and half')
os.close(fd)
`, one.Path(name), two.Path(name))
		if o.Code != 0 {
			t.Errorf("after %s: %s", name, o.Err)
		}
		if got := b.Content(name); got != "half and half" {
			t.Errorf("after %s the bucket has %q", name, got)
		}
	}
}
