package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// Work that goes well leaves nothing in the log, however much of it there is: what a log says of
// every read hides the one line that matters.
func TestReadingLogsNothing(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", strings.Repeat("0123456789abcdef", 64<<20/16)))
	h := b.Mount("one", "--log-level", "info")
	if !h.Logs("msg=mounted") {
		t.Fatal("the mount does not say that it is mounted")
	}
	before := h.Log()
	e.Sh(h.Mountpoint, "cat f > /dev/null; cat .versions/f/* > /dev/null; echo new > g; cat g > /dev/null")
	h.Umount() // the log comes through a pipe: now it is complete
	for line := range strings.Lines(strings.TrimPrefix(h.Log(), before)) {
		if !strings.Contains(line, "msg=unmounted") {
			t.Errorf("the log says %q", line)
		}
	}
}
