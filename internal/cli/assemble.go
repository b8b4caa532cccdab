package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	lfs "github.com/latchfs/latchfs/fs"
	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

const (
	// readBudget is the memory in bytes that read-ahead of all files together may take.
	readBudget = 96 << 20
	// spoolShare is the part of the free disk space that the spool may take by default.
	spoolShare = 0.8
	// closeTimeout bounds the last words to the lock table.
	closeTimeout = 10 * time.Second
)

// openBucket reaches the bucket and reads its bond to a lock table.
func (m *mount) openBucket(ctx context.Context) (err error) {
	src := m.o.Source
	if m.reach, err = reachSource(ctx, src, m.o.Connection, m.log); err != nil {
		return err
	}
	m.onAbandon(func() { m.reach.close() })
	if m.bucket, err = m.reach.bucket(ctx, src.Bucket, m.host, m.log); err != nil {
		return err
	}
	if err := checkBucket(ctx, m.bucket); err != nil {
		return explainBucket(err, src, m.reach)
	}
	if m.bond, err = readBound(ctx, m.bucket, src, m.reach); err != nil {
		return err
	}
	if m.bond == nil && src.Local != "" {
		if err := bind(ctx, m.bucket, initOptions{Source: src}, m.reach, m.say); err != nil {
			return err
		}
		if m.bond, err = readBound(ctx, m.bucket, src, m.reach); err != nil {
			return err
		}
	}
	if m.bond == nil && !m.o.ReadOnly {
		return fmt.Errorf("bucket %s has no %s, which binds it to its lock table: run %s (or mount it with --read-only)",
			src.Bucket, store.BucketConfigKey, m.reach.initCommand(src, ""))
	}
	versioned, err := m.bucket.Versioned(ctx)
	if err != nil {
		return explainBucket(err, src, m.reach)
	}
	if !versioned {
		m.log.Warn("the bucket keeps no versions: .versions stays empty, and a changed file ends its readers with ESTALE", "bucket", src.Bucket)
	}
	return nil
}

// say logs what bind tells the person who runs init.
func (m *mount) say(format string, args ...any) { m.log.Info(fmt.Sprintf(format, args...)) }

// openTable reads the times of the lock table, on which those of store and mount
// depend. A read-only mount takes no locks and needs no table.
func (m *mount) openTable(ctx context.Context) (err error) {
	if m.o.ReadOnly {
		return nil
	}
	l := lockSpec{m.bond.Lock.Backend, m.bond.Lock.Table}
	if m.lockTable, err = m.reach.table(ctx, l); err != nil {
		return err
	}
	if m.lockTimes, err = m.lockTable.ReadConfig(ctx); err != nil {
		return explainTable(err, l, m.o.Source, m.reach)
	}
	if err := checkBond(*m.bond, m.lockTimes, m.o.Source, m.reach); err != nil {
		return err
	}
	t := m.lockTimes.Timing
	m.bucket.SetTiming(store.Timing{Quiet: t.Delay, Stall: t.Stall()})
	if m.o.LockTimeout == 0 {
		m.o.LockTimeout = 2 * (t.Lease + t.Delay)
	}
	if m.o.FlushTimeout == 0 {
		m.o.FlushTimeout = 2 * (t.Stall() + t.Delay)
	}
	// LOCKS P4.4: less would end before an unanswered attempt can be looked up.
	if least := 2*t.Stall() + t.Delay; m.o.FlushTimeout < least {
		return usagef("--flush-timeout %s is too short for lock table %s: give it %s or more", m.o.FlushTimeout, l, least.Round(time.Millisecond)+time.Millisecond)
	}
	return nil
}

// openState makes the session directory and the spool in it.
func (m *mount) openState(context.Context) (err error) {
	bucketID := ""
	if m.bond != nil {
		bucketID = m.bond.ID
	}
	m.dir, err = statedir.Create(m.o.StateDir, rand.Text(), statedir.Mount{
		Mountpoint: m.o.Mountpoint, Source: m.o.Source.String(), BucketID: bucketID,
		Prefix: m.o.Source.Prefix, PID: os.Getpid(), Host: m.host,
	})
	if err != nil {
		return fmt.Errorf("state directory %s: %w: name another one with --state-dir", m.o.StateDir, err)
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
func (m *mount) openFiles(context.Context) error {
	o := m.o
	var locks file.Locks = noLocks{}
	if !o.ReadOnly {
		m.locks = lockmgr.New(m.lockTable, m.lockTimes, lockmgr.Options{
			BucketID: m.bond.ID, Host: m.host, User: userName(), PID: os.Getpid(), Version: Version,
			Name: m.dir.Name(), Log: m.log,
			LocalDead: func(name string) bool { return statedir.Dead(o.StateDir, name) },
			OnSession: func(sid string) error {
				return m.dir.Update(func(d *statedir.Mount) { d.SIDs = append(d.SIDs, sid) })
			},
		})
		m.onAbandon(func() {
			ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
			defer cancel()
			m.locks.Close(ctx)
		})
		locks = file.LocksOf(m.locks)
	}
	defaults := file.Defaults{UID: o.UID, GID: o.GID, FileMode: o.FileMode &^ o.Umask, DirMode: o.DirMode &^ o.Umask}
	ahead := reader.New(m.bucket, readBudget)
	names := tree.New(m.bucket, tree.Options{Prefix: o.Source.Prefix, TTL: o.MetadataTTL})
	m.files = file.NewTable(file.Options{
		Objects: m.bucket, Locks: locks, Spool: m.spool, Reader: ahead, Host: m.host, Defaults: defaults,
		LockTimeout: o.LockTimeout, FlushTimeout: o.FlushTimeout, Quiet: m.lockTimes.Timing.Delay, Log: m.log, Changed: names.Note,
	})
	m.front = lfs.Config{
		Tree: names, Files: m.files, Reader: ahead, History: history.New(m.bucket), Defaults: defaults,
		ReadOnly: o.ReadOnly, AllowOther: o.AllowOther, MetadataTTL: o.MetadataTTL,
		FsName: o.Source.String(), Log: m.log,
	}
	return nil
}

// attach recovers what earlier mounts left, as far as that is quick, and mounts.
func (m *mount) attach(ctx context.Context) (err error) {
	m.recovery = m.startRecovery()
	m.onAbandon(m.recovery.stop)
	m.recovery.awaitFirst(ctx)
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if m.server, err = lfs.Mount(m.o.Mountpoint, m.front); err != nil {
		return explainMount(err, m.o)
	}
	at, ok, err := mountAt(m.o.Mountpoint)
	if err != nil {
		return errors.Join(err, detach(m.o.Mountpoint))
	}
	if !ok {
		return fmt.Errorf("mounted at %s, but it is gone again", m.o.Mountpoint)
	}
	m.device = at.Device
	return m.dir.Update(func(d *statedir.Mount) { d.Device = at.Device })
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// noLocks stands for the locks of a read-only mount, in which nothing asks for one.
type noLocks struct{}

func (noLocks) Acquire(context.Context, string, time.Duration) (file.Lease, error) {
	return nil, unix.EROFS
}
