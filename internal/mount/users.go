package mount

import (
	"fmt"

	"github.com/latchfs/latchfs/internal/procfs"
)

// most is how many processes are named.
const most = 3

// users names processes besides this one that keep the mount at path busy, as far as the caller
// may look.
func users(path string) []string {
	return processes(func(p procfs.Process) bool { return p.Uses(path) })
}

// waiters names processes that wait for an answer of a FUSE file system.
func waiters() []string { return processes(procfs.Process.WaitsForFUSE) }

func processes(match func(procfs.Process) bool) []string {
	var found []string
	procs, _ := procfs.Default.Processes()
	self := procfs.Default.Self()
	for _, p := range procs {
		if p.ID == self.ID || !match(p) {
			continue
		}
		if len(found) == most {
			return append(found, "and others")
		}
		found = append(found, fmt.Sprintf("%s (pid %d)", p.Name(), p.ID))
	}
	return found
}
