package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrLive: the lock of the session directory is held, so its mount lives (or somebody
// is recovering it).
var ErrLive = errors.New("the session is alive")

// unfinished is the prefix of a directory that is not ready under its name yet, or is
// being removed.
const unfinished = ".new-"

// A Dir is a session directory whose lock we hold.
type Dir struct {
	path string
	lock *os.File
	made string // the topmost directory that Create had to make

	mu    sync.Mutex // guards mount and the file it is kept in
	mount Mount
}

// Create makes the session directory stateDir/name, locked and described by m, with an
// empty spool directory in it. The state directory is made if it is missing. After an
// error nothing of it is left.
func Create(stateDir, name string, m Mount) (_ *Dir, err error) {
	made, err := mkdirAll(stateDir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && made != "" {
			removeEmpty(stateDir, made)
		}
	}()
	tmp := filepath.Join(stateDir, unfinished+name)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return nil, err
	}
	d := &Dir{path: filepath.Join(stateDir, name), made: made, mount: m}
	defer func() {
		if err != nil {
			if d.lock != nil {
				d.lock.Close()
			}
			os.RemoveAll(tmp)
		}
	}()
	if d.lock, err = lockFile(filepath.Join(tmp, "lock"), os.O_CREATE|os.O_EXCL); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(tmp, "spool"), 0o700); err != nil {
		return nil, err
	}
	if err := writeMount(tmp, m); err != nil {
		return nil, err
	}
	// RENAME_NOREPLACE: a name that exists belongs to another session.
	if err := unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, d.path, unix.RENAME_NOREPLACE); err != nil {
		return nil, &fs.PathError{Op: "rename", Path: d.path, Err: err}
	}
	if err := syncDir(stateDir); err != nil {
		os.RemoveAll(d.path)
		return nil, err
	}
	return d, nil
}

// TryTake takes the lock of the session directory stateDir/name. Having it proves that
// the session's process is dead. It fails with ErrLive if the lock is held and with
// fs.ErrNotExist if there is no such directory (any more).
func TryTake(stateDir, name string) (*Dir, error) {
	path := filepath.Join(stateDir, name)
	lock, err := lockFile(filepath.Join(path, "lock"), 0)
	if err != nil {
		return nil, err
	}
	// Its last holder may have removed the directory while we opened the file.
	if !sameFile(lock, filepath.Join(path, "lock")) {
		lock.Close()
		return nil, &fs.PathError{Op: "lock", Path: path, Err: fs.ErrNotExist}
	}
	m, err := readMount(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &Dir{path: path, lock: lock, mount: m}, nil
}

// Dead reports whether the session name of this state directory is proved dead.
func Dead(stateDir, name string) bool {
	if name == "" || name != filepath.Base(name) {
		return false
	}
	lock, err := lockFile(filepath.Join(stateDir, name, "lock"), 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	return sameFile(lock, filepath.Join(stateDir, name, "lock"))
}

// lockFile opens path and takes its exclusive flock without waiting.
func lockFile(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", path, ErrLive)
		}
		return nil, &fs.PathError{Op: "flock", Path: path, Err: err}
	}
	return f, nil
}

func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// Name is the directory's name, which is the name of the mount's lock manager.
func (d *Dir) Name() string { return filepath.Base(d.path) }

// Path is the directory's path.
func (d *Dir) Path() string { return d.path }

// Spool is the path of the directory for accepted bytes.
func (d *Dir) Spool() string { return filepath.Join(d.path, "spool") }

// Mount gives what mount.json says.
func (d *Dir) Mount() Mount {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.mount
	m.SIDs = append([]string(nil), m.SIDs...)
	return m
}

// Update changes mount.json; it is on disk when Update returns nil.
func (d *Dir) Update(change func(*Mount)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.mount
	m.SIDs = append([]string(nil), m.SIDs...)
	change(&m)
	if err := writeMount(d.path, m); err != nil {
		return fmt.Errorf("writing mount.json: %w", err)
	}
	d.mount = m
	return nil
}

// Close gives the lock up and leaves the directory for recovery.
func (d *Dir) Close() error { return d.lock.Close() }

// Remove deletes the directory with everything in it and gives the lock up.
func (d *Dir) Remove() error {
	// Out of sight first: a crash in between leaves no half of a session directory.
	gone := filepath.Join(filepath.Dir(d.path), unfinished+d.Name())
	err := os.Rename(d.path, gone)
	if err == nil {
		err = os.RemoveAll(gone)
	}
	if cerr := d.lock.Close(); err == nil {
		err = cerr
	}
	return err
}

// Discard is Remove for a mount that came to nothing: directories that Create had to
// make above go too, as far as they are empty.
func (d *Dir) Discard() error {
	err := d.Remove()
	if d.made != "" {
		removeEmpty(filepath.Dir(d.path), d.made)
	}
	return err
}

// mkdirAll makes dir with mode 0700 and returns the topmost directory it had to make
// ("" if none).
func mkdirAll(dir string) (made string, err error) {
	for p := dir; ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil || p == filepath.Dir(p) {
			break
		}
		made = p
	}
	return made, os.MkdirAll(dir, 0o700)
}

// removeEmpty removes dir and its parents up to top as far as they are empty.
func removeEmpty(dir, top string) {
	for p := dir; os.Remove(p) == nil && p != top; p = filepath.Dir(p) {
	}
}
