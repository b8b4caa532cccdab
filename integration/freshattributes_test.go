package integration

import (
	"os"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// A file that is made and changed within a second has two versions that look the same in a listing.
// A host that has seen the first one shows the second after the TTL, also if it lists the directory
// all the time.
// SEMANTICS G2
func TestChangeWithinTheSecondOfTheLast(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	e.Sh(one.Mountpoint, "mkdir d")
	modified := func() time.Time {
		head, err := b.S3.Head(e.Timeout(time.Minute), "d/f")
		e.Must(err)
		return *head.LastModified
	}
	mode := func() os.FileMode {
		entries, err := os.ReadDir(two.Path("d")) // the kernel learns what a listing tells
		e.Must(err)
		if len(entries) != 1 {
			t.Fatalf("%d names", len(entries))
		}
		i, err := os.Lstat(two.Path("d", "f"))
		e.Must(err)
		return i.Mode()
	}
	for range 30 {
		e.Must(os.WriteFile(one.Path("d", "f"), []byte("x"), 0o644))
		e.Must(os.Chmod(one.Path("d", "f"), 0o644))
		time.Sleep(1100 * time.Millisecond)
		now := time.Now()
		time.Sleep(now.Truncate(time.Second).Add(time.Second).Sub(now))
		e.Must(os.Chmod(one.Path("d", "f"), 0o640))
		first := modified()
		if m := mode(); m != 0o640 {
			t.Fatalf("the other host shows the mode %v after a TTL", m)
		}
		e.Must(os.Chmod(one.Path("d", "f"), 0o600))
		if first.Equal(modified()) {
			break
		}
	}
	changed := time.Now()
	for time.Since(changed) < 1100*time.Millisecond {
		mode()
	}
	if m := mode(); m != 0o600 {
		t.Errorf("the other host shows the mode %v in the end", m)
	}
}
