package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/shell"
	"github.com/latchfs/latchfs/internal/volume"
)

// automounter is the type of a mount point at which an automounter waits for a mount to be put over
// its own (autofs(5), systemd.automount(5)).
const automounter = "autofs"

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
			return "", fmt.Errorf("%s holds a mount whose process died, and it cannot be cleared (%w): run %s", path, err, shell.Join("umount", "-l", path))
		}
		log.Info("cleared a mount whose process had died")
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
	case busy && at.Type == automounter:
		return resolved, nil
	case busy && ours(at):
		return "", fmt.Errorf("mount point %s is busy, %s is mounted there: run %s, or choose another directory", path, at.Source, shell.Join("latchfs", "umount", path))
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
	return fmt.Errorf("mount point %s does not exist: run %s", path, shell.Join("mkdir", "-p", path))
}

// mountAt finds the topmost mount at exactly this resolved path. The file system, which
// may hang or be dead, is not asked.
func mountAt(path string) (procfs.Mount, bool, error) { return procfs.Default.Self().MountAt(path) }

// ours tells whether it is a mount of this program.
func ours(m procfs.Mount) bool { return m.Type == "fuse.latchfs" }

// notConnected tells whether the error is what a FUSE mount without a daemon answers.
func notConnected(err error) bool { return errors.Is(err, unix.ENOTCONN) }

// resolveMountpoint makes the path absolute and free of symbolic links without asking
// the file system that may be mounted there: a stopped or dead daemon would not answer.
func resolveMountpoint(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for range 40 { // as many links as the kernel follows
		parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
		if err != nil {
			return "", err
		}
		abs = filepath.Join(parent, filepath.Base(abs))
		if _, ok, err := mountAt(abs); err != nil || ok {
			return abs, err
		}
		target, err := os.Readlink(abs)
		if err != nil {
			return abs, nil // no link; whether it exists is for the caller to say
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(parent, target)
		}
		abs = target
	}
	return "", &os.PathError{Op: "resolve", Path: path, Err: unix.ELOOP}
}

// checkOutside refuses directories that the mount itself would cover or write to: the
// daemon would wait for itself.
func checkOutside(o Options) error {
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
