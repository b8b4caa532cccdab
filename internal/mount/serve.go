package mount

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/latchfs/latchfs/internal/bytesize"
)

// Serve waits until the mount is to end and ends it. After umount(8) there is no limit
// to how long that takes: what was closed was promised. The first signal sets one,
// FlushTimeout; one more ends everything at once. It fails with an UnsavedError if
// something is not in the bucket.
func (m *Mount) Serve() error {
	m.log.Info("mounted", "source", m.o.Source.String(), "session", m.dir.Name())
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
		m.log.Info("unmounted")
		m.detach()
	case s := <-m.signals:
		stop(s)
	}
	defer m.server.TellFailures()
	if m.o.Stopping != nil {
		m.o.Stopping()
	}
	finished := make(chan error, 1)
	go func() { finished <- m.finish(saving) }()
	for {
		select {
		case err := <-finished:
			return err
		case s := <-m.signals:
			if limit != nil {
				return m.leave()
			}
			stop(s)
		}
	}
}

// leave ends the process without saving anything more.
func (m *Mount) leave() error {
	m.log.Warn("ended at once by a second signal")
	m.detach()
	m.takeOut()
	if used := m.spool.Used(); used > 0 {
		return unsavedf("ended by a second signal, %s stay in %s: %s",
			bytesize.Format(used), m.dir.Spool(), saveThem(m.o.Source.String(), m.o.StateDir))
	}
	return errors.New("ended by a second signal")
}

// RereadCredentials looks for the credentials of bucket and lock table anew. If there are none
// those at hand stay.
func (m *Mount) RereadCredentials(ctx context.Context) error {
	return m.volume.RereadCredentials(ctx)
}
