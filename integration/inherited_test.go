package integration

import (
	"path/filepath"
	"testing"

	"github.com/latchfs/latchfs/integration/harness"
)

// A mount in the background and the embedded server keep nothing of what the caller had open: a lock
// of flock(1) that a cron job holds while it mounts is free when it lets go, and a file on another mount
// is closed when its writer closes it.
func TestMountKeepsNoDescriptorsOfItsCaller(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	other := e.Bucket(harness.OnS3, harness.Patient).Mount("other")
	l := newLocal(e)
	program := filepath.Join(l.bin, "latchfs")
	dir := e.Mkdir("dir")
	e.Sh(dir, `set -e
		mkdir mnt
		exec 8>`+other.Path("f")+`
		exec 9>lock
		flock 9
		`+program+` mount --state-dir state local:data mnt
		exec 9>&- 8>&-
		flock -n lock true || { echo "the lock is still held" >&2; exit 1; }
		echo works > mnt/a
		cat mnt/a
		`+program+` umount --state-dir state mnt`)
	l.stopServer(filepath.Join(dir, "data"))
	// The lease of the other mount's file is given back, so that another host gets it at once.
	e.Sh(other.Bucket.Mount("third").Mountpoint, "echo mine > f")
}
