package mount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/bytesize"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/shell"
	"github.com/latchfs/latchfs/internal/statedir"
)

// progressInterval is the time between two reports of Unmount.
const progressInterval = 2 * time.Second

// LogPath is the log that all background mounts of a state directory append to.
func LogPath(stateDir string) string { return filepath.Join(stateDir, "latchfs.log") }

// A Progress is what the process of a mount has still to save.
type Progress struct {
	PID   int
	Files int   // in its spool
	Bytes int64 // that they take
	// Elsewhere says where the file system is still mounted, and how to end that; "" if that is not
	// known or not so.
	Elsewhere string
}

// Unmount unmounts what is mounted at path and waits until the mount's process has ended,
// which it does when everything that was closed is in the bucket. As long as it waits it
// reports every two seconds. It fails with an UnsavedError if the process left something.
// When ctx ends the process goes on without anybody who waits for it. stateDir is the state directory
// of the mount; "" if it is not known, which then has to be in the registry or the default one.
func Unmount(ctx context.Context, path, stateDir string, report func(Progress)) error {
	resolved, err := resolveMountpoint(path)
	if err != nil {
		return fmt.Errorf("mount point %s: %w", path, err)
	}
	at, isMounted, err := mountAt(resolved)
	if err != nil {
		return err
	}
	if isMounted && !ours(at) {
		return fmt.Errorf("%s is a file system of type %s, not of latchfs: use umount(8)", resolved, at.Type)
	}
	namespace, _ := procfs.Default.Self().MountNamespace() // not known is an answer
	search := search{path: resolved, device: at.Device, namespace: namespace, dirs: stateDirs}
	if stateDir != "" {
		search.dirs = func() []string { return []string{stateDir} }
	}
	f, err := search.await(ctx)
	if f == nil && err == nil && isMounted {
		f, err = search.killed()
	}
	switch {
	case f == nil && isMounted && ofAnother(at) != nil:
		return ofAnother(at)
	case err != nil:
		return err
	case f == nil && isMounted && stateDir != "":
		return fmt.Errorf("the state directory %s knows nothing of the mount at %s: leave --state-dir out, or pass the one it was mounted with, or, if what was in it is gone, run %s", stateDir, resolved, shell.Join("umount", resolved))
	case f == nil && isMounted:
		return fmt.Errorf("no mount of this user is known at %s: pass the --state-dir it was mounted with, or, if what was in it is gone, run %s", resolved, shell.Join("umount", resolved))
	case f == nil:
		return fmt.Errorf("nothing is mounted at %s", resolved)
	}
	stateDir = f.stateDir
	session := &f.session
	// Opened before the unmount: the daemon removes the directory when it is done.
	end, err := statedir.Watch(stateDir, session.Name)
	if errors.Is(err, fs.ErrNotExist) && !isMounted {
		return nil // it has just finished
	}
	if err != nil {
		return err
	}
	defer end.Close()
	if isMounted {
		before, _ := procfs.Default.Self().Mounts() // not known is an answer
		if err := unmount(resolved); err != nil {
			return explainUnmount(err, resolved, end, session)
		}
		after, _ := procfs.Default.Self().Mounts()
		if also := alsoAt(at.Device, before, after); also != "" {
			return fmt.Errorf("%s is unmounted, but the same file system is still mounted at %s: unmount that too, which waits until everything is in the bucket", resolved, also)
		}
	}
	return awaitEnd(ctx, end, session, cmp.Or(at.Device, session.Mount.Device), report)
}

// awaitEnd waits until the daemon of the session has ended and says what it left.
func awaitEnd(ctx context.Context, end *statedir.Waiter, s *statedir.Session, device string, report func(Progress)) error {
	left, err := end.Wait(ctx, progressInterval, func() {
		files, bytes := spool.Usage(end.Spool())
		report(Progress{PID: s.Mount.PID, Files: files, Bytes: bytes, Elsewhere: elsewhere(procfs.Default, device)})
	})
	if ctx.Err() != nil {
		return fmt.Errorf("%s is unmounted, but not everything was saved yet: pid %d goes on (its log: %s)", s.Mount.Mountpoint, s.Mount.PID, LogPath(end.StateDir()))
	}
	if err != nil || !left {
		return err
	}
	files, err := unsavedFiles(end.Spool())
	if err != nil {
		return fmt.Errorf("%s is unmounted, but what it left in the state directory %s cannot be read: %w: make that writable, then %s",
			s.Mount.Mountpoint, end.StateDir(), err, saveThem(s.Mount.Source, end.StateDir()))
	}
	if len(files) == 0 {
		return nil
	}
	return unsaved(end.Spool(), strings.Join(files, ", "), s.Mount.Source, end.StateDir())
}

// ofAnother says what to do about a mount that another user has made, whose registry and state directory
// this one does not know; nil if it is his own.
func ofAnother(m procfs.Mount) error {
	return ofAnotherThan(os.Geteuid(), m)
}

func ofAnotherThan(me int, m procfs.Mount) error {
	owner, known := m.User()
	switch {
	case !known || owner == me:
		return nil
	case me == 0:
		return fmt.Errorf("the mount at %s is user %d's: run latchfs umount %[1]s as that user, which waits until everything is in the bucket, or umount %[1]s, which does not wait", m.Mountpoint, owner)
	}
	return fmt.Errorf("the mount at %s is user %d's, who alone can unmount it, besides root", m.Mountpoint, owner)
}

func explainUnmount(err error, path string, end *statedir.Waiter, s *statedir.Session) error {
	if !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("unmounting %s: %w", path, err)
	}
	if found := users(path); len(found) > 0 {
		return inUse(path, strings.Join(found, ", "))
	}
	if procfs.Default.Self().Uses(path) {
		return inUse(path, "this command, which was started in it")
	}
	// A close that waits for the bucket has no descriptor any more.
	if files, bytes := spool.Usage(end.Spool()); files > 0 {
		who := "a close or fsync"
		if found := waiters(); len(found) > 0 {
			who += " of " + strings.Join(found, ", ")
		}
		return fmt.Errorf("%s is in use: %s waits until pid %d, which serves it, has saved %s in %d spool files: wait for that, or see why it takes long in %s",
			path, who, s.Mount.PID, bytesize.Format(bytes), files, LogPath(end.StateDir()))
	}
	return inUse(path, "a process that this user may not look at")
}

func inUse(path, who string) error {
	return fmt.Errorf("%s is in use by %s: close its files and leave the directory, then try again", path, who)
}
