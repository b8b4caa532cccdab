package statedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// abandoned is the age from which an unfinished directory is looked at. It is no proof: it
// leaves a maker beside us the time from making the directory to having its lock.
const abandoned = time.Hour

// removeAbandoned removes an unfinished directory that a dead process left. What is not
// surely one of those stays: one with a lock that is held, or of another machine, or with
// anything in it that is not ours. A maker that stood still for so long before it had the
// lock fails to mount, and nothing worse.
func (h host) removeAbandoned(dir string, e fs.DirEntry) {
	i, err := e.Info()
	if err != nil || time.Since(i.ModTime()) <= abandoned {
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !known(e) }) {
		return
	}
	if len(entries) == 0 {
		_ = os.Remove(dir) // fails if it is not empty any more
		return
	}
	// The lock is made first and removed last, so that there is one in all others.
	lock, err := h.prove(dir)
	if err != nil {
		return
	}
	// The next Scan tries again.
	_ = removeDir(dir, lock)
}

// known tells whether a session directory has such an entry.
func known(e fs.DirEntry) bool {
	switch e.Name() {
	case lockName, machineName, mountName, machineName + newSuffix, mountName + newSuffix:
		return e.Type().IsRegular()
	case spoolName:
		return e.IsDir()
	}
	return false
}

// removeDir removes a directory that is out of sight and gives up its lock. If it ends
// halfway, the lock is still there to tell what the rest is.
func removeDir(dir string, lock *os.File) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if rerr := os.RemoveAll(filepath.Join(dir, e.Name())); err == nil {
			err = rerr
		}
	}
	// NFS would keep the file under another name while it is open.
	if cerr := lock.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	// Somebody may have taken it for abandoned, and removes it too.
	for _, path := range []string{filepath.Join(dir, lockName), dir} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
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
