package mount

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	lfs "github.com/latchfs/latchfs/fs"
	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/internal/label"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/internal/usernames"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

const (
	// readBudget is the memory in bytes that read-ahead of all files together may take.
	readBudget = 96 << 20
	// lookAhead is how many names at a time are looked up ahead of who walks through directories:
	// at 20 ms per request 3,200 a second, while S3 takes 5,500 for each prefix, and no more than
	// the connections that are kept.
	lookAhead = 64
	// spoolShare is the part of the free disk space that the spool may take by default.
	spoolShare = 0.8
)

// openVolume reaches the bucket and reads its bond to a lock table.
func (m *Mount) openVolume(ctx context.Context) (err error) {
	m.volume, err = volume.Open(ctx, volume.Options{Source: m.o.Source, Access: m.o.Access, Host: m.host, Audit: m.o.Audit, Log: m.log})
	if err != nil {
		return err
	}
	m.onAbandon(func() { m.volume.Discard() })
	if err := m.volume.CheckBond(); err != nil && !m.o.ReadOnly {
		return fmt.Errorf("%w (or mount it with --read-only)", err)
	}
	if m.versioned, err = m.volume.Versioned(ctx); err != nil {
		return err
	}
	switch {
	case m.versioned && !m.o.AsOf.IsZero():
		m.log.Info("everything is shown as it stood", "at", m.o.AsOf.UTC())
	case !m.o.AsOf.IsZero():
		return fmt.Errorf("bucket %s keeps no versions, so that nothing tells how it stood at %s: mount it without --as-of", m.o.Source.Bucket, m.o.AsOf.UTC().Format(time.RFC3339))
	case !m.versioned:
		m.log.Warn("the bucket keeps no versions: what is overwritten is gone, and a changed file ends its readers with ESTALE", "bucket", m.o.Source.Bucket)
	}
	return nil
}

// proveServer refuses a server on which updates could be lost. What it does wrong decides about the
// times of the lock table, too.
func (m *Mount) proveServer(ctx context.Context) error {
	if m.o.ReadOnly {
		if line := m.volume.Recall(); line != "" {
			m.log.Warn(line)
		}
		return nil
	}
	return m.volume.Prove(ctx, volume.Proving{Versioned: m.versioned, Degraded: m.o.AcceptDegraded, Say: func(warn bool, line string) {
		if warn {
			m.log.Warn(line)
		} else {
			m.log.Info(line)
		}
	}})
}

// openTable reads the times of the lock table, on which those of store and mount
// depend. A read-only mount takes no locks and needs no table.
func (m *Mount) openTable(ctx context.Context) (err error) {
	if m.o.ReadOnly {
		return nil
	}
	if m.table, err = m.volume.LockTable(ctx); err != nil {
		return err
	}
	if m.o.LockTimeout == 0 {
		m.o.LockTimeout = m.table.LockTimeout()
	}
	if m.o.FlushTimeout == 0 {
		m.o.FlushTimeout = m.table.FlushTimeout()
	}
	use, warning, err := m.table.AllowFlushTimeout(m.o.FlushTimeout)
	if warning != "" {
		m.log.Warn(warning)
	}
	m.o.FlushTimeout = use
	return err
}

// openState makes the session directory and the spool in it.
func (m *Mount) openState(context.Context) (err error) {
	bucketID := ""
	if m.volume.Bond != nil {
		bucketID = m.volume.Bond.ID
	}
	namespace, _ := procfs.Default.Self().MountNamespace() // not known is an answer
	m.dir, err = statedir.Create(m.o.StateDir, rand.Text(), statedir.Mount{
		Mountpoint: m.o.Mountpoint, Namespace: namespace, Source: m.o.Source.String(), BucketID: bucketID,
		Prefix: m.o.Source.Prefix, PID: os.Getpid(), Host: m.host,
	})
	if err != nil {
		return fmt.Errorf("state directory %s: %w: mend that, since only a mount with it saves what an earlier one left there, or name another one with --state-dir", m.o.StateDir, err)
	}
	m.onAbandon(func() { m.dir.Discard() })
	limit := m.o.SpoolLimit
	if limit == 0 {
		if limit, err = spoolDefault(m.o.StateDir); err != nil {
			return err
		}
	}
	if m.spool, err = spool.Open(m.dir.Spool(), spool.Options{Limit: limit}); err != nil {
		return fmt.Errorf("spool in %s: %w", m.o.StateDir, err)
	}
	m.onAbandon(func() { m.spool.Close() })
	return nil
}

// spoolDefault is the share of what the caller may still write to the state directory.
func spoolDefault(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("asking for free space in %s: %w", dir, err)
	}
	return int64(float64(st.Bavail) * float64(st.Bsize) * spoolShare), nil
}

// openFiles builds locks, read-ahead, names and open files over bucket and state.
func (m *Mount) openFiles(context.Context) error {
	o := m.o
	var locks lease.Locks = noLocks{}
	var holder func(context.Context, string) (lockmgr.Holder, error)
	if !o.ReadOnly {
		manager := lockmgr.New(m.table.Table, m.table.Config, lockmgr.Options{
			BucketID: m.volume.Bond.ID, Host: m.host, User: volume.UserName(), PID: os.Getpid(), Version: o.Version,
			Name: m.dir.Name(), Log: m.log, Bound: m.volume.Bound,
			LocalDead: func(name string) bool { return statedir.Dead(o.StateDir, name) },
			OnSession: func(sid string) error {
				return m.dir.Update(func(d *statedir.Mount) { d.SIDs = append(d.SIDs, sid) })
			},
		})
		m.onAbandon(func() {
			ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
			defer cancel()
			manager.Close(ctx)
		})
		m.locks, locks = manager, lease.Manager(manager)
		holder = manager.Holder
	}
	defaults := file.Defaults{UID: o.UID, GID: o.GID, FileMode: o.FileMode &^ o.Umask, DirMode: o.DirMode &^ o.Umask}
	ahead := reader.New(m.volume.Bucket, readBudget)
	names := tree.New(m.volume.Bucket, tree.Options{Prefix: o.Source.Prefix, TTL: o.MetadataTTL, Ahead: lookAhead, MaxTarget: file.MaxTarget})
	versions := lfs.NewVersions()
	files := file.NewTable(file.Options{
		Objects: m.volume.Bucket, Root: o.Source.Prefix, Locks: locks, Spool: m.spool, Reader: ahead, Host: m.host, Defaults: defaults,
		LockTimeout: o.LockTimeout, FlushTimeout: o.FlushTimeout, Quiet: m.table.Config.Delay, Log: m.log,
		Changed: lfs.Changed(names, versions), Lasting: names.Lasting, Marker: names.Marker,
	})
	m.files = files
	m.front = lfs.Config{
		Holder: holder, Tree: names, Files: files, Reader: ahead, History: history.New(m.volume.Bucket), Versions: versions, Defaults: defaults,
		Past: history.NewPast(m.volume.Bucket, history.PastOptions{Prefix: o.Source.Prefix, TTL: o.MetadataTTL}), AsOf: o.AsOf,
		ReadOnly: o.ReadOnly, AllowOther: o.AllowOther, NoExec: o.NoExec, NoATime: o.NoATime, MetadataTTL: o.MetadataTTL,
		Labels: label.Finder{Bucket: m.volume.Bucket}, DirLabels: dirLabels{label.Moments{Objects: m.volume.Bucket}}, VersionsName: o.VersionsDir, ShowVersions: o.ShowVersions,
		FsName: cmp.Or(o.FsName, o.Source.String()), Log: m.log,
	}
	if o.Audit == store.AuditFull {
		m.front.UserName = new(usernames.Names).Of
	}
	return nil
}

// attach recovers what earlier mounts left, as far as that is quick, and mounts.
func (m *Mount) attach(ctx context.Context) (err error) {
	m.recoverer = m.startRecoverer()
	m.onAbandon(m.recoverer.stop)
	m.recoverer.awaitFirst(ctx)
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if m.server, err = lfs.Mount(m.o.Mountpoint, m.front); err != nil {
		return explainMount(err, m.o.Mountpoint)
	}
	at, ok, err := mountAt(m.o.Mountpoint)
	if err != nil {
		return errors.Join(err, detach(m.o.Mountpoint))
	}
	if !ok {
		return fmt.Errorf("mounted at %s, but it is gone again", m.o.Mountpoint)
	}
	m.device = at.Device
	m.enter()
	return m.dir.Update(func(d *statedir.Mount) { d.Device = at.Device })
}

// noLocks stands for the locks of a read-only mount, in which nothing asks for one.
type noLocks struct{}

func (noLocks) Acquire(context.Context, string, time.Duration) (lease.Lease, error) {
	return nil, unix.EROFS
}

func (noLocks) Held(context.Context, string) (bool, error) { return false, nil }
