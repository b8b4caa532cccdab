package serve

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Names in the folder.
const (
	lockFile   = "lock"
	usersFile  = "users"
	accessFile = "server.json"
	logFile    = "server.log"
)

// ErrServed means that another server serves the folder.
var ErrServed = errors.New("another server serves it")

const (
	lockTries = 10
	lockPause = 20 * time.Millisecond
)

// takeFolder takes the folder's lock. Users who look whether a server lives hold it for
// a moment too, so it is tried more than once.
func takeFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
		}
		if i == lockTries {
			f.Close()
			return nil, ErrServed
		}
		time.Sleep(lockPause)
	}
}

// A watcher looks whether the folder has users.
type watcher struct {
	file  *os.File
	grace time.Duration
	free  time.Time // since when nobody was seen; zero: somebody is there
}

func watchUsers(dir string, grace time.Duration) (*watcher, error) {
	f, err := os.OpenFile(filepath.Join(dir, usersFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &watcher{file: f, grace: grace}, nil
}

// deserted looks once, and tells whether there has been no user for the time of grace.
// Then the flock is kept, so that nobody comes to rely on a server that is leaving.
func (w *watcher) deserted(now time.Time) (bool, error) {
	err := unix.Flock(int(w.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.EINTR):
		w.free = time.Time{}
		return false, nil
	case err != nil:
		return false, fmt.Errorf("locking %s: %w", w.file.Name(), err)
	}
	if w.free.IsZero() {
		w.free = now
	}
	if now.Sub(w.free) >= w.grace {
		return true, nil
	}
	if err := unix.Flock(int(w.file.Fd()), unix.LOCK_UN); err != nil {
		return false, fmt.Errorf("unlocking %s: %w", w.file.Name(), err)
	}
	return false, nil
}

func (w *watcher) Close() error { return w.file.Close() }
