package mount

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	lfs "github.com/latchfs/latchfs/fs"
	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/registry"
	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/internal/volume"
)

// A Mount is everything that makes up one mount, joined.
type Mount struct {
	o       Options
	host    string
	signals <-chan os.Signal
	log     *slog.Logger

	volume    *volume.Volume
	versioned bool
	table     volume.LockTable // zero if mounted read-only
	locks     locks            // nil if mounted read-only
	dir       *statedir.Dir
	spool     *spool.Spool
	files     files
	front     lfs.Config
	server    *lfs.Server
	device    string // as in mountinfo
	recoverer *recoverer
	entered   *registry.Registration // nil if it could not be entered

	undo []func() // what Abandon does before the kernel has the mount, last first
}

// files is what end and recovery of a mount ask of the open files; *file.Table has it.
type files interface {
	Shutdown(ctx context.Context) ([]file.Left, error)
	Recovery(spool string) (*file.Recovery, error)
}

// locks is what end and recovery of a mount ask of the locks; *lockmgr.Manager has it.
type locks interface {
	Takeover(ctx context.Context, sids []string, unanswered func(key string) bool) error
	Bury(ctx context.Context, sids []string) error
	Close(ctx context.Context) error
}

// build builds the layers from the bucket up and mounts them. After an error nothing of
// it is left.
func build(ctx context.Context, o Options, signals <-chan os.Signal, log *slog.Logger) (_ *Mount, err error) {
	if err := CheckFUSE(o.AllowOther); err != nil {
		return nil, err
	}
	if o.Mountpoint, err = checkMountpoint(o.Mountpoint, log); err != nil {
		return nil, err
	}
	if err := checkOutside(o); err != nil {
		return nil, err
	}
	m := &Mount{o: o, signals: signals, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Abandon())
		}
	}()
	if m.host, err = os.Hostname(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{m.openVolume, m.proveServer, m.openTable, m.openState, m.openFiles, m.attach} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Abandon ends a mount that will not be served, and undoes what was built so far. From the
// moment that the kernel has the mount programs may write to it, whatever it has come to
// here: then it ends as by a signal, with an UnsavedError if something is left.
func (m *Mount) Abandon() error {
	if m.server != nil {
		saving, expire := context.WithCancel(context.Background())
		defer expire()
		defer time.AfterFunc(m.o.FlushTimeout, expire).Stop()
		return m.finish(saving)
	}
	for len(m.undo) > 0 {
		last := len(m.undo) - 1
		m.undo[last]()
		m.undo = m.undo[:last]
	}
	return nil
}

func (m *Mount) onAbandon(f func()) { m.undo = append(m.undo, f) }
