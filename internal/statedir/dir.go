package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// unfinished is the prefix of a directory that is not ready under its name yet, or is
// being removed.
const unfinished = ".new-"

// spoolName is the directory for accepted bytes in a session directory.
const spoolName = "spool"

// A Dir is a session directory whose lock we hold.
type Dir struct {
	path string
	lock *os.File
	made string // the topmost directory that Create had to make

	mu    sync.Mutex // guards mount and the file it is kept in
	mount Mount
}

// Create makes the session directory stateDir/name, locked and described by m, with an
// empty spool directory in it. The state directory is made if it is missing. It fails with
// ErrLocalLocks on a file system where other machines may not see the lock, and where other users could
// put something into the state directory. After an error
// nothing of it is left.
func Create(stateDir, name string, m Mount) (*Dir, error) {
	return thisHost().create(stateDir, name, m)
}

func (h host) create(stateDir, name string, m Mount) (_ *Dir, err error) {
	made, err := mkdirAll(stateDir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && made != "" {
			removeEmpty(stateDir, made)
		}
	}()
	if err := checkOwner(stateDir, os.Geteuid()); err != nil {
		return nil, err
	}
	if err := h.checkLocks(stateDir, "a state directory has to be on a local disk"); err != nil {
		return nil, err
	}
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
	if d.lock, err = lockFile(filepath.Join(tmp, lockName), os.O_CREATE|os.O_EXCL); err != nil {
		return nil, err
	}
	if err := writeMachine(tmp, h.machine); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(tmp, spoolName), 0o700); err != nil {
		return nil, err
	}
	if err := writeMount(tmp, m); err != nil {
		return nil, err
	}
	// It fails if the name exists, which belongs to another session: no file system replaces
	// a directory that has something in it, and there is a lock in it. (RENAME_NOREPLACE says
	// the same, and is not known on NFS, Ceph and OCFS2.)
	if err := os.Rename(tmp, d.path); err != nil {
		return nil, err
	}
	if err := syncDir(stateDir); err != nil {
		os.RemoveAll(d.path)
		return nil, err
	}
	return d, nil
}

// TryTake takes the lock of the session directory stateDir/name. Having it proves that
// the session's process is dead. It fails with ErrLive if the lock is held, with
// fs.ErrNotExist if there is no such directory (any more), and where the lock would be no
// proof with ErrLocalLocks or ErrOtherMachine; these say what to do.
func TryTake(stateDir, name string) (*Dir, error) { return thisHost().tryTake(stateDir, name) }

func (h host) tryTake(stateDir, name string) (*Dir, error) {
	path := filepath.Join(stateDir, name)
	lock, err := h.prove(path)
	if err != nil {
		return nil, err
	}
	m, err := readMount(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &Dir{path: path, lock: lock, mount: m}, nil
}

// Dead reports whether the session name of this state directory is proved dead.
func Dead(stateDir, name string) bool { return thisHost().dead(stateDir, name) }

func (h host) dead(stateDir, name string) bool {
	if name == "" || name != filepath.Base(name) {
		return false
	}
	lock, err := h.prove(filepath.Join(stateDir, name))
	if err != nil {
		return false
	}
	lock.Close()
	return true
}

// Name is the directory's name, which is the name of the mount's lock manager.
func (d *Dir) Name() string { return filepath.Base(d.path) }

// Path is the directory's path.
func (d *Dir) Path() string { return d.path }

// Spool is the path of the directory for accepted bytes.
func (d *Dir) Spool() string { return filepath.Join(d.path, spoolName) }

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

// Remove deletes the directory with everything in it and gives the lock up. It is fine if
// somebody has removed it before.
func (d *Dir) Remove() error {
	// Out of sight first: a crash in between leaves no half of a session directory.
	gone := filepath.Join(filepath.Dir(d.path), unfinished+d.Name())
	switch err := os.Rename(d.path, gone); {
	case errors.Is(err, fs.ErrNotExist):
		return d.lock.Close()
	case err != nil:
		return errors.Join(err, d.lock.Close())
	}
	return removeDir(gone, d.lock)
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
