package mount

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// detach takes the mount out of the tree at once, whoever still uses it (umount -l).
func detach(path string) error {
	if os.Geteuid() == 0 {
		return unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
	return fusermount("-u", "-z", "--", path)
}

// unmount unmounts, failing with EBUSY while somebody uses it.
func unmount(path string) error {
	if os.Geteuid() == 0 {
		return unix.Unmount(path, unix.UMOUNT_NOFOLLOW)
	}
	return fusermount("-u", "--", path)
}

// fusermount runs the setuid helper; only it may unmount for others than root. It tells
// the cause in words alone.
func fusermount(args ...string) error {
	cmd := exec.Command("fusermount3", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("fusermount3 is not in PATH: install the package fuse3")
	}
	text := strings.TrimSpace(string(out))
	if strings.Contains(text, unix.EBUSY.Error()) || strings.Contains(text, "Device or resource busy") {
		return fmt.Errorf("%s: %w", text, unix.EBUSY)
	}
	return fmt.Errorf("fusermount3: %s: %w", text, err)
}
