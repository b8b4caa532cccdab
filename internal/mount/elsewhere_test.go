package mount

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/internal/procfs"
)

// The kernel gives the device number of a file system that has ended to any other one, such as the /proc of a container
// that has just started: nobody is told to unmount that.
func TestElsewhere(t *testing.T) {
	for line, says := range map[string]string{
		"60 50 0:53 / /mnt/b rw - fuse.latchfs s3://b/ rw": "at /mnt/b",
		"60 50 0:53 / /proc rw - proc proc rw":             "",
		"60 50 0:54 / /mnt/c rw - fuse.latchfs s3://c/ rw": "",
	} {
		dir := t.TempDir()
		for process, namespace := range map[string]string{"self": "mnt:[1]", "7": "mnt:[2]"} {
			if err := os.MkdirAll(filepath.Join(dir, process, "ns"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(namespace, filepath.Join(dir, process, "ns", "mnt")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, process, "mountinfo"), []byte(line+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := elsewhere(procfs.FS(dir), "0:53"); (got == "") != (says == "") || !strings.Contains(got, says) {
			t.Errorf("%s: %q, want %q", line, got, says)
		}
	}
}
