package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	lfs "github.com/latchfs/latchfs/fs"
	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/lockmgr"
)

// A mount is everything that makes up one mount, joined.
type mount struct {
	o    mountOptions
	log  *slog.Logger
	host string

	volume   *volume.Volume
	table    volume.LockTable // zero if mounted read-only
	locks    *lockmgr.Manager // nil if mounted read-only
	dir      *statedir.Dir
	spool    *spool.Spool
	files    *file.Table
	front    lfs.Config
	server   *lfs.Server
	device   string // as in mountinfo
	recovery *recovery

	undo []func() // what abandon does, last first
}

// newMount builds the layers from the bucket up and mounts them. After an error nothing
// of it is left.
func newMount(ctx context.Context, o mountOptions, log *slog.Logger) (_ *mount, err error) {
	if err := checkFUSE(o.AllowOther); err != nil {
		return nil, err
	}
	if o.Mountpoint, err = checkMountpoint(o.Mountpoint, log); err != nil {
		return nil, err
	}
	if err := checkOutside(o); err != nil {
		return nil, err
	}
	m := &mount{o: o, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.abandon())
		}
	}()
	if m.host, err = os.Hostname(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{m.openVolume, m.openTable, m.openState, m.openFiles, m.attach} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// abandon undoes what newMount did. From the moment that the kernel has the mount programs
// may write to it, whatever it has come to here: then it ends as by a signal.
func (m *mount) abandon() error {
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

func (m *mount) onAbandon(f func()) { m.undo = append(m.undo, f) }
