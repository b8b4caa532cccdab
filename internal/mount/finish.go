package mount

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/internal/statedir"
)

// closeTimeout bounds the last words to the lock table.
const closeTimeout = 10 * time.Second

// finish saves what was sealed until ctx ends, or the bucket is bound to another lock table, detaches, gives the locks back and
// leaves in the state directory only what is not in the bucket.
func (m *Mount) finish(ctx context.Context) error {
	defer m.takeOut()
	m.recoverer.stop()
	left, err := m.shutdown(ctx)
	if err != nil && !errors.Is(err, context.Canceled) { // that is the limit, or another lock table; left says what was cut
		m.log.Error("saving open files", "err", err)
	}
	m.detach()
	closed := m.closeLocks(left)
	if cerr := m.spool.Close(); cerr != nil {
		m.log.Error("closing the spool", "err", cerr)
	}
	defer m.volume.Close()
	if len(left) > 0 {
		m.leaveForRecovery(left)
		return unsaved(m.dir.Spool(), describe(left), m.o.Source.String(), m.o.StateDir)
	}
	if err != nil || !closed {
		// The next mount on this host closes the lock sessions and removes the directory.
		return errors.Join(err, m.dir.Close())
	}
	if err := m.dir.Remove(); err != nil {
		return fmt.Errorf("everything is in the bucket, but the state directory %s cannot be cleaned up: %w: make it writable, and the next mount of %s does it", m.o.StateDir, err, m.o.Source)
	}
	return nil
}

// leaveForRecovery leaves the session directory, with what is not in the bucket, for recovery.
func (m *Mount) leaveForRecovery(left []file.Left) {
	for _, l := range left {
		m.log.Warn("not in the bucket yet, kept in the spool", "key", l.Key, "bytes", l.Bytes, "reason", l.Reason)
	}
	if err := m.dir.Close(); err != nil {
		m.log.Error("leaving the session directory", "err", err)
	}
}

// closeLocks ends our lock session, which frees its locks, and tells whether the table
// knows. A session with an unanswered request must not be closed (LOCKS P2): it dies, and
// its locks stay closed until nothing of it can land any more.
func (m *Mount) closeLocks(left []file.Left) bool {
	if m.locks == nil {
		return true
	}
	if slices.ContainsFunc(left, func(l file.Left) bool { return l.Unanswered }) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := m.locks.Close(ctx); err != nil {
		m.log.Warn("giving the locks back", "err", err)
		return false
	}
	return true
}

// detach takes our mount out of the tree, if it is still there: it stays after a signal
// and after an abort of the connection.
func (m *Mount) detach() {
	at, ok, err := mountAt(m.o.Mountpoint)
	if err == nil && ok && at.Device == m.device {
		err = detach(m.o.Mountpoint)
	}
	if err != nil {
		m.log.Error("detaching", "err", err)
		return
	}
	// The number may now be another mount's.
	if err := m.dir.Update(func(d *statedir.Mount) { d.Device = "" }); err != nil {
		m.log.Warn("taking the device number out", "err", err)
	}
}
