package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrLive: the lock of the session directory is held, so its mount lives (or somebody
// is recovering it).
var ErrLive = errors.New("the session is alive")

// lockName is the file of a session directory that is flocked.
const lockName = "lock"

// A host is where this process runs, as far as it decides whose locks prove what.
type host struct {
	machine    machine
	filesystem func(dir string) (filesystem, error)
}

func thisHost() host { return host{machine: thisMachine("/"), filesystem: filesystemOf} }

// checkLocks fails with ErrLocalLocks unless having the flock of a file in dir proves that
// nobody else has it.
func (h host) checkLocks(dir, advice string) error {
	f, err := h.filesystem(dir)
	if err != nil {
		return fmt.Errorf("asking for the file system: %w", err)
	}
	if !f.provesDeath() {
		return fmt.Errorf("%s is on %v: %w: %s", dir, f, ErrLocalLocks, advice)
	}
	return nil
}

// prove takes the lock of the directory of a session, which proves that its process is dead.
func (h host) prove(dir string) (*os.File, error) {
	lock, err := lockFile(filepath.Join(dir, lockName), 0)
	if err != nil {
		return nil, err
	}
	if err := h.checkProof(lock, dir); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// checkProof tells whether the flock that we have is a proof.
func (h host) checkProof(lock *os.File, dir string) error {
	// Its last holder may have removed the directory while we opened the file, and another
	// session may have one of the same name.
	if !sameFile(lock, filepath.Join(dir, lockName)) {
		return &fs.PathError{Op: "lock", Path: dir, Err: fs.ErrNotExist}
	}
	if err := h.checkLocks(dir, "to have it recovered, move it to a state directory on a local disk"); err != nil {
		return err
	}
	return checkMachine(dir, h.machine)
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
