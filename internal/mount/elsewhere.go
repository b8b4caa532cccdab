package mount

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/shell"
)

// elsewhere says in which other mount namespaces the file system of that device is still mounted,
// and how to end that, as far as the caller may look: "" if none is known. A container, or a
// service of systemd with a namespace of its own, has a copy of all mounts that were there when it
// started. A file system lives as long as its last copy, and its process with it.
func elsewhere(fs procfs.FS, device string) string {
	if device == "" {
		return ""
	}
	own, _ := fs.Self().MountNamespace()
	procs, _ := fs.Processes()
	where := map[string]string{own: ""} // from namespaces to the mount point in them; "" for none
	var said []string
	for _, p := range procs {
		namespace, err := p.MountNamespace()
		if err != nil {
			continue
		}
		if _, seen := where[namespace]; seen {
			continue
		}
		mountpoint, err := mountpointOf(p, device)
		if err != nil {
			continue // another process of it may tell
		}
		if where[namespace] = mountpoint; mountpoint == "" {
			continue
		}
		if len(said) == most {
			said = append(said, "and others")
			break
		}
		said = append(said, fmt.Sprintf("at %s in that of %s (pid %d): run %s, or end what runs there", mountpoint, p.Name(), p.ID,
			shell.Join("nsenter", "-t", strconv.Itoa(p.ID), "-m", "umount", mountpoint)))
	}
	if len(said) == 0 {
		return ""
	}
	return "it is still mounted in another mount namespace, " + strings.Join(said, "; ")
}

// mountpointOf gives a place where the process sees the file system, "" if there is none.
func mountpointOf(p procfs.Process, device string) (string, error) {
	all, err := p.Mounts()
	for _, m := range all {
		if m.Device == device && ours(m) { // the kernel gives the number of one that has ended to any other
			return m.Mountpoint, nil
		}
	}
	return "", err
}
