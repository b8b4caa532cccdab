package statedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// waitPoll is the time between two looks at the lock.
const waitPoll = 20 * time.Millisecond

// A Waiter waits for the end of a session. It is opened while the session lives, so
// that it learns of the end even if the directory is removed then.
type Waiter struct {
	path string
	lock *os.File
}

// Watch opens a Waiter on stateDir/name.
func Watch(stateDir, name string) (*Waiter, error) {
	path := filepath.Join(stateDir, name)
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
	if errors.Is(err, unix.EROFS) { // a disk that became read-only; only NFS wants a lock's file writable
		f, err = os.Open(filepath.Join(path, lockName))
	}
	if err != nil {
		return nil, err
	}
	return &Waiter{path: path, lock: f}, nil
}

// Spool is the path of the session's directory for accepted bytes.
func (w *Waiter) Spool() string { return filepath.Join(w.path, spoolName) }

// StateDir is the state directory that the session belongs to.
func (w *Waiter) StateDir() string { return filepath.Dir(w.path) }

// Close gives up whatever the Waiter holds.
func (w *Waiter) Close() error { return w.lock.Close() }

// Wait blocks until the session's process has ended or ctx ends. It reports whether
// the directory is still there afterwards; progress, if not nil, is called every
// interval while it waits.
func (w *Waiter) Wait(ctx context.Context, interval time.Duration, progress func()) (left bool, err error) {
	// A blocking flock cannot be cancelled, and would outlive the descriptor it waits on.
	look := time.NewTicker(waitPoll)
	defer look.Stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := unix.Flock(int(w.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return sameFile(w.lock, filepath.Join(w.path, lockName)), nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return true, fmt.Errorf("waiting for %s: %w", w.path, err)
		}
		select {
		case <-look.C:
		case <-tick.C:
			if progress != nil {
				progress()
			}
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
}
