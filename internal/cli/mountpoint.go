package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/volume"
)

// checkMountpoint says in one line why nothing can be mounted at path, and gives its
// resolved name if something can. A mount whose daemon is dead is cleared away.
func checkMountpoint(path string, log *slog.Logger) (string, error) {
	resolved, err := resolveMountpoint(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", missingMountpoint(path)
	}
	if err != nil {
		return "", fmt.Errorf("mount point %s: %w", path, err)
	}
	err = openDir(resolved)
	if notConnected(err) {
		if err := detach(resolved); err != nil {
			return "", fmt.Errorf("%s holds a mount whose process died, and it cannot be cleared (%w): run umount -l %s", path, err, path)
		}
		log.Info("cleared a mount whose process had died", "mountpoint", resolved)
		err = openDir(resolved)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", missingMountpoint(path)
	case errors.Is(err, unix.ENOTDIR):
		return "", fmt.Errorf("mount point %s is not a directory: name an empty directory", path)
	case err != nil:
		return "", fmt.Errorf("mount point %s: %w", path, err)
	}
	at, busy, err := mountAt(resolved)
	switch {
	case err != nil:
		return "", err
	case busy && at.ours():
		return "", fmt.Errorf("mount point %s is busy, %s is mounted there: run latchfs umount %s, or choose another directory", path, at.Source, path)
	case busy:
		return "", fmt.Errorf("mount point %s is busy, a file system of type %s is mounted there: unmount it, or choose another directory", path, at.Type)
	}
	// What lies there would be out of reach as long as the mount lives.
	if entries, err := os.ReadDir(resolved); err != nil {
		return "", fmt.Errorf("mount point %s: %w", path, err)
	} else if len(entries) > 0 {
		return "", fmt.Errorf("mount point %s is not empty and the mount would hide %s: choose an empty directory", path, entries[0].Name())
	}
	return resolved, nil
}

// openDir tells whether path is a directory that answers. It has to be opened for that:
// what stat(2) says of a mount comes from what the kernel remembers, also when its process
// is dead.
func openDir(path string) error {
	f, err := os.OpenFile(path, unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func missingMountpoint(path string) error {
	return fmt.Errorf("mount point %s does not exist: run mkdir -p %s", path, path)
}

// checkOutside refuses directories that the mount itself would cover or write to: the
// daemon would wait for itself.
func checkOutside(o mountOptions) error {
	for what, dir := range map[string]string{"--state-dir": o.StateDir, "the folder of " + volume.LocalPrefix: o.Source.Local} {
		if dir == "" {
			continue
		}
		if rel, err := filepath.Rel(o.Mountpoint, resolveExisting(dir)); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return fmt.Errorf("%s (%s) lies in the mount point %s: choose another place for one of them", what, dir, o.Mountpoint)
		}
	}
	return nil
}

// resolveExisting follows the symbolic links of that part of the path that exists.
func resolveExisting(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(resolveExisting(parent), filepath.Base(path))
	}
	return path
}

// fuseConf is where root lets other users pass allow_other (mount.fuse3(8)).
const fuseConf = "/etc/fuse.conf"

// docker is what a container lacks that may not mount.
const docker = "in docker add --device /dev/fuse --cap-add SYS_ADMIN (and on Ubuntu and Debian hosts --security-opt apparmor=unconfined)"

// checkFUSE says in one line why this process cannot mount FUSE file systems.
func checkFUSE(allowOther bool) error {
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
func explainMount(err error, o mountOptions) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("mounting at %s is not permitted (%w): %s", o.Mountpoint, err, docker)
	}
	return fmt.Errorf("mounting at %s: %w", o.Mountpoint, err)
}

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
