package mount

import (
	"fmt"

	"github.com/latchfs/latchfs/internal/procfs"
)

// users names up to max processes besides this one that keep the mount at path busy, as
// far as the caller may look.
func users(path string, max int) []string {
	var found []string
	procs, _ := procfs.Default.Processes()
	self := procfs.Default.Self()
	for _, p := range procs {
		if p.ID == self.ID || !p.Uses(path) {
			continue
		}
		if len(found) == max {
			return append(found, "and others")
		}
		found = append(found, fmt.Sprintf("%s (pid %d)", p.Name(), p.ID))
	}
	return found
}
