package mount

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Without --spool-limit the spool may take 80 % of what is free when it is made.
func TestSpoolDefault(t *testing.T) {
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	free := float64(st.Bavail) * float64(st.Bsize)
	limit, err := spoolDefault(dir)
	if share := float64(limit) / free; err != nil || share < 0.75 || share > 0.85 { // others use the disk too
		t.Errorf("%d of %.0f bytes, %v", limit, free, err)
	}
	if _, err := spoolDefault(dir + "/none"); err == nil {
		t.Error("no error where no directory is")
	}
}
