package mount

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/internal/wait"
)

const (
	// recoverInterval is the time between two looks for sessions that died.
	recoverInterval = 30 * time.Second
	// recoverFirst is how long a mount waits for the first look to finish. What takes
	// longer (an unanswered request has to rest for the table's delay) goes on in the background.
	recoverFirst = 3 * time.Second
)

// A recoverer brings home what dead sessions of this host left of the mounted bucket
// (LOCKS P6), at mount and as long as the mount lives.
type recoverer struct {
	cancel context.CancelFunc
	first  chan struct{} // closed after the first look
	done   chan struct{}

	// aside are sessions with nothing left but what nobody can read, or this bucket never takes: it stays
	// for a person to look at, and for the next mount.
	aside sync.Map // session name -> true

	tries tries
}

func (m *Mount) startRecoverer() *recoverer {
	ctx, cancel := context.WithCancel(context.Background())
	r := &recoverer{cancel: cancel, first: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		if m.o.ReadOnly {
			close(r.first)
			return
		}
		tick := time.NewTicker(recoverInterval)
		defer tick.Stop()
		m.recoverDead(ctx, r, true)
		close(r.first)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				m.recoverDead(ctx, r, false)
			}
		}
	}()
	return r
}

func (r *recoverer) awaitFirst(ctx context.Context) {
	wait.For(ctx, recoverFirst, r.first)
}

func (r *recoverer) stop() {
	r.cancel()
	<-r.done
}

// recoverDead recovers every session directory of this bucket whose lock can be had.
func (m *Mount) recoverDead(ctx context.Context, r *recoverer, first bool) {
	all, err := statedir.Scan(m.o.StateDir)
	if err != nil && first {
		m.log.Warn("reading the state directory", "err", err)
	}
	var each sync.WaitGroup
	for _, s := range all {
		if s.Mount.BucketID != m.volume.Bond.ID || s.Name == m.dir.Name() {
			continue
		}
		if _, known := r.aside.Load(s.Name); known || !r.tries.due(s.Name) {
			continue
		}
		dead, err := statedir.TryTake(m.o.StateDir, s.Name)
		switch {
		case errors.Is(err, statedir.ErrLive), errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			m.log.Warn("taking a session directory", "name", s.Name, "err", err)
			continue
		}
		each.Go(func() {
			err := m.recoverOne(ctx, r, dead)
			if err == nil || ctx.Err() != nil {
				return
			}
			pause := r.tries.failed(s.Name)
			m.log.Error("recovering a dead session", "name", dead.Name(), "mountpoint", s.Mount.Mountpoint, "again_in", pause, "err", err)
		})
	}
	each.Wait()
}

// recoverOne saves what the dead session left and removes its directory, or leaves it
// for another try.
func (m *Mount) recoverOne(ctx context.Context, r *recoverer, dead *statedir.Dir) (err error) {
	stays := true // for another try
	defer func() {
		if stays {
			err = errors.Join(err, dead.Close())
		}
	}()
	was := dead.Mount()
	if err := dead.Update(func(d *statedir.Mount) { d.Device = "" }); err != nil {
		return err
	}
	work, err := m.files.Recovery(dead.Spool())
	if err != nil {
		return fmt.Errorf("reading its spool: %w", err)
	}
	defer work.Close()
	if err := m.locks.Takeover(ctx, was.SIDs, work.Unanswered); err != nil {
		return fmt.Errorf("taking over its locks: %w", err)
	}
	left, err := work.Run(ctx)
	if err != nil {
		return fmt.Errorf("saving what it left: %w", err)
	}
	// All is saved: an unmount that comes now waits for the last word, so that nothing is left.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := m.locks.Bury(last, was.SIDs); err != nil {
		return fmt.Errorf("closing its lock session: %w", err)
	}
	if len(left) > 0 {
		m.log.Warn("what a dead session left cannot be read, or never be saved, and stays; the next mount tries again", "dir", dead.Path(), "files", describe(left))
		r.aside.Store(dead.Name(), true)
		return nil
	}
	m.log.Info("recovered a dead session", "name", dead.Name(), "mountpoint", was.Mountpoint, "pid", was.PID)
	stays = false
	return dead.Remove()
}
