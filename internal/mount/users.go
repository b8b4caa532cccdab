package mount

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// users names up to max processes besides this one that keep the mount at path busy, as far as the
// caller may look: by working directory, root, program and open files. Links are read,
// never followed, so a hung file system does not matter.
func users(path string, max int) []string {
	var found []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		if filepath.Base(p) == strconv.Itoa(os.Getpid()) || !uses(p, path) {
			continue
		}
		if len(found) == max {
			return append(found, "and others")
		}
		comm, _ := os.ReadFile(filepath.Join(p, "comm"))
		found = append(found, fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(comm)), filepath.Base(p)))
	}
	return found
}

func uses(proc, path string) bool {
	links := []string{"cwd", "root", "exe"}
	fds, _ := os.ReadDir(filepath.Join(proc, "fd"))
	for _, fd := range fds {
		links = append(links, "fd/"+fd.Name())
	}
	for _, l := range links {
		target, err := os.Readlink(filepath.Join(proc, l))
		if err == nil && (target == path || strings.HasPrefix(target, path+"/")) {
			return true
		}
	}
	return false
}
