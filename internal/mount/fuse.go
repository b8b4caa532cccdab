package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// fuseConf is where root lets other users pass allow_other (mount.fuse3(8)).
const fuseConf = "/etc/fuse.conf"

// docker is what a container lacks that may not mount.
const docker = "in docker add --device /dev/fuse --cap-add SYS_ADMIN (and on Ubuntu and Debian hosts --security-opt apparmor=unconfined)"

// CheckFUSE says in one line why this process cannot mount FUSE file systems.
func CheckFUSE(allowOther bool) error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no /dev/fuse: load the kernel module with modprobe fuse; %s", docker)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("/dev/fuse answers %w: load the kernel module with modprobe fuse; %s", err, docker)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("this user may not open /dev/fuse: as root chmod 666 /dev/fuse, or mount as root")
	case err != nil: // EPERM: the container has no right to the device
		return fmt.Errorf("/dev/fuse cannot be opened (%w): %s", err, docker)
	}
	f.Close()
	if os.Geteuid() == 0 {
		return nil
	}
	if _, err := exec.LookPath("fusermount3"); err != nil {
		return errors.New("fusermount3 is not in PATH and only root mounts without it: install the package fuse3")
	}
	if allowOther && !allowsOther(fuseConf) {
		return fmt.Errorf("--allow-other is not for this user: add the line user_allow_other to %s, or mount as root", fuseConf)
	}
	return nil
}

// allowsOther tells whether fuse.conf lets users pass allow_other. One that cannot be read
// is for fusermount3 to judge.
func allowsOther(path string) bool {
	b, err := os.ReadFile(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	for line := range strings.Lines(string(b)) {
		if strings.TrimSpace(line) == "user_allow_other" {
			return true
		}
	}
	return false
}

// explainMount adds what to do to a failure of mount(2) or fusermount3.
func explainMount(err error, mountpoint string) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("mounting at %s is not permitted (%w): %s", mountpoint, err, docker)
	}
	return fmt.Errorf("mounting at %s: %w", mountpoint, err)
}
