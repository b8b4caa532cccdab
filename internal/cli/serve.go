package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/internal/statedir"
)

// serve waits until the mount is to end and ends it. After umount(8) there is no limit
// to how long that takes: what was closed was promised. The first signal sets one,
// --flush-timeout; one more ends everything at once.
func (m *mount) serve(signals <-chan os.Signal) error {
	m.log.Info("mounted", "source", m.o.Source.String(), "mountpoint", m.o.Mountpoint, "session", m.dir.Name())
	gone := make(chan struct{})
	go func() {
		m.server.Wait()
		close(gone)
	}()
	saving, expire := context.WithCancel(context.Background())
	defer expire()
	var limit *time.Timer
	stop := func(s os.Signal) {
		m.log.Info("ending the mount", "signal", s.String(), "limit", m.o.FlushTimeout)
		limit = time.AfterFunc(m.o.FlushTimeout, expire)
	}
	select {
	case <-gone:
		m.log.Info("unmounted", "mountpoint", m.o.Mountpoint)
		m.detach()
	case s := <-signals:
		stop(s)
	}
	finished := make(chan error, 1)
	go func() { finished <- m.finish(saving) }()
	for {
		select {
		case err := <-finished:
			return err
		case s := <-signals:
			if limit != nil {
				return m.leave()
			}
			stop(s)
		}
	}
}

// finish saves what was sealed until ctx ends, detaches, gives the locks back and
// leaves in the state directory only what is not in the bucket.
func (m *mount) finish(ctx context.Context) error {
	m.recovery.stop()
	left, err := m.files.Shutdown(ctx)
	if err != nil && !errors.Is(err, context.Canceled) { // that is the limit; left says what it cut
		m.log.Error("saving open files", "err", err)
	}
	m.detach()
	settled := m.closeLocks(left)
	if cerr := m.spool.Close(); cerr != nil {
		m.log.Error("closing the spool", "err", cerr)
	}
	defer m.volume.Close()
	if len(left) > 0 {
		m.keep(left)
		return &unsavedError{fmt.Sprintf("not in the bucket yet, kept in %s: %s; mount %s again to save them",
			m.dir.Spool(), describe(left), m.o.Source)}
	}
	if err != nil || !settled {
		// The next mount on this host closes the lock sessions and removes the directory.
		return errors.Join(err, m.dir.Close())
	}
	return m.dir.Remove()
}

// keep leaves the session directory for recovery.
func (m *mount) keep(left []file.Left) {
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
func (m *mount) closeLocks(left []file.Left) bool {
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

// leave ends the process without saving anything more.
func (m *mount) leave() error {
	m.log.Warn("ended at once by a second signal")
	m.detach()
	if used := m.spool.Used(); used > 0 {
		return &unsavedError{fmt.Sprintf("ended by a second signal, %s stay in %s: mount %s again to save them",
			humanSize(used), m.dir.Spool(), m.o.Source)}
	}
	return errors.New("ended by a second signal")
}

// detach takes our mount out of the tree, if it is still there: it stays after a signal
// and after an abort of the connection.
func (m *mount) detach() {
	at, ok, err := mountAt(m.o.Mountpoint)
	if err == nil && ok && at.Device == m.device {
		err = detach(m.o.Mountpoint)
	}
	if err != nil {
		m.log.Error("detaching", "mountpoint", m.o.Mountpoint, "err", err)
		return
	}
	// The number may now be another mount's.
	if err := m.dir.Update(func(d *statedir.Mount) { d.Device = "" }); err != nil {
		m.log.Warn("taking the device number out", "err", err)
	}
}

func describe(left []file.Left) string {
	var names []string
	for _, l := range left {
		names = append(names, fmt.Sprintf("%s (%s, %s)", l.Key, humanSize(l.Bytes), l.Reason))
	}
	return strings.Join(names, ", ")
}
