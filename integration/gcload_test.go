package integration

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// Two gc --yes, again and again, take nothing from two mounts that lock and unlock the same names and new
// ones all the time, and do not disturb each other.
func TestGCBesideMountsUnderLoad(t *testing.T) {
	t.Parallel()
	for name, locks := range map[string]harness.Lock{"DynamoDB": harness.OnDynamoDB, "S3": harness.OnS3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(locks, harness.Mortal)
			hosts := []*harness.Host{b.Mount("one"), b.Mount("two")}
			over := time.Now().Add(4 * time.Second)
			lines := make([]int, len(hosts))
			var work sync.WaitGroup
			for i, h := range hosts {
				f := newFiles(e)
				work.Go(func() {
					for n := 0; time.Now().Before(over); n++ {
						fd, err := f.open(h.Path("shared"), unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND)
						if err != nil {
							continue // locked by the other one for too long
						}
						f.mustWrite(fd, 0, fmt.Sprintf("%s %d\n", h.Hostname, n))
						f.mustClose(fd)
						lines[i]++
						for k := range 10 {
							path := h.Path(fmt.Sprintf("%s-%d", h.Hostname, k))
							f.mustPut(path, "x\n")
							if _, err := f.call(fileCall{Op: "unlink", Path: path}); err != nil {
								t.Errorf("unlink: %v", err)
							}
						}
					}
				})
				work.Go(func() {
					for time.Now().Before(over) {
						for _, l := range gcOf(b, h, "--yes") {
							if l.Error != "" || l.Kind == "session" || l.Kind == "state" {
								t.Errorf("beside living mounts gc finds %+v", l)
							}
						}
					}
				})
			}
			work.Wait()
			got := b.Content("shared")
			for i, h := range hosts {
				if n := strings.Count(got, h.Hostname+" "); n != lines[i] || n == 0 {
					t.Errorf("%d lines of %s, which has written %d", n, h.Hostname, lines[i])
				}
			}
		})
	}
}
