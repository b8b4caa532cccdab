package integration

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// Whichever request to the lock table gets an answer that would be another a moment later, no program
// gets an error, and nothing of what two hosts do to the same names is lost.
func TestWorkOutlastsPassingAnswersOfTheLockTable(t *testing.T) {
	t.Parallel()
	eachPassing(t, func(t *testing.T, lock harness.Lock, fault harness.Fault) {
		e := suite.New(t)
		b := e.Bucket(lock, harness.Patient)
		var now atomic.Pointer[nth]
		now.Store(&nth{})
		one := behind(b, func(r *http.Request) harness.Fault {
			if lock == harness.OnS3 && !strings.Contains(r.URL.Path, "-locks/") || lock == harness.OnDynamoDB && r.Header.Get("X-Amz-Target") == "" {
				return harness.Pass
			}
			return now.Load().inject(r)
		}, nil).Mount("one").Expect("heartbeat failed; retrying")
		two := b.Mount("two")
		f := newFiles(e)
		for n := int64(1); ; n++ {
			dir := fmt.Sprintf("d%d", n)
			now.Store(&nth{n: n, fault: fault})
			if _, err := f.call(fileCall{Op: "mkdir", Path: one.Path(dir)}); err != nil {
				t.Errorf("request %d: mkdir: %v", n, err)
				return
			}
			for i, h := range []*harness.Host{one, two, one} {
				fd, err := f.open(h.Path(dir, "f"), unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND)
				if err == nil {
					f.mustWrite(fd, int64(i*2), fmt.Sprintf("%d\n", i))
					err = f.close(fd)
				}
				if err != nil {
					t.Errorf("request %d: write %d: %v", n, i, err)
				}
			}
			for _, c := range []fileCall{
				{Op: "rename", Path: one.Path(dir, "f"), To: one.Path(dir, "g")},
				{Op: "chmod", Path: one.Path(dir, "g"), N: 0o600},
			} {
				if _, err := f.call(c); err != nil {
					t.Errorf("request %d: %s: %v", n, c.Op, err)
				}
			}
			if got := b.Content(dir + "/g"); got != "0\n1\n2\n" {
				t.Errorf("request %d: the file is %q", n, got)
			}
			for _, c := range []fileCall{{Op: "unlink", Path: one.Path(dir, "g")}, {Op: "rmdir", Path: one.Path(dir)}} {
				if _, err := f.call(c); err != nil {
					t.Errorf("request %d: %s: %v", n, c.Op, err)
				}
			}
			if now.Load().seen.Load() < n {
				if n < 8 {
					t.Errorf("the lock table gets %d requests", n-1)
				}
				return
			}
			if t.Failed() {
				return
			}
		}
	})
}
