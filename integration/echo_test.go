package integration

import (
	"os"
	"testing"

	"github.com/latchfs/latchfs/integration/harness"
)

// TestEchoCat is the shortest way through everything: a file is written by a program,
// read back by another one and found in the bucket by a client that knows nothing of us.
func TestEchoCat(t *testing.T) {
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	if got := e.Sh(h.Mountpoint, "echo hello > f; cat f"); got != "hello\n" {
		t.Errorf("cat says %q", got)
	}
	if got := b.Content("f"); got != "hello\n" {
		t.Errorf("the bucket has %q", got)
	}
	h.Umount()
	if entries, err := os.ReadDir(h.Mountpoint); err != nil || len(entries) > 0 {
		t.Errorf("the mount point after umount: %v, %v", entries, err)
	}
}
