package gc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/lockmgr"
)

// directories finds the session directories of dead mounts of this bucket in which nothing waits.
// A mount of the bucket removes them too; where there will be none, they would stay. It gives the sessions
// whose records are closed when they go.
func (f *Found) directories(stateDir, bucketID string, table lockmgr.Table) (closed map[string]bool) {
	closed = map[string]bool{}
	all, err := statedir.Scan(stateDir)
	if err != nil {
		f.left(true, "state directory %s: %v", stateDir, err)
	}
	for _, s := range all {
		if s.Mount.BucketID != bucketID {
			continue
		}
		dead, err := takeEmpty(stateDir, s.Name)
		if err != nil {
			f.left(!errors.Is(err, statedir.ErrOtherMachine) && !errors.Is(err, statedir.ErrLocalLocks), "%v", err)
		}
		if dead == nil {
			continue
		}
		dead.Close()
		for _, sid := range dead.Mount().SIDs {
			closed[sid] = true
		}
		f.Items = append(f.Items, Item{Kind: State, Name: filepath.Join(stateDir, s.Name),
			Why:    fmt.Sprintf("the mount at %s is dead and nothing waits in it", s.Mount.Mountpoint),
			remove: func(ctx context.Context) (bool, error) { return removeState(ctx, stateDir, s.Name, table) },
		})
	}
	return closed
}

// takeEmpty takes the lock of a session directory, which proves that its mount is dead. It gives
// nil if that is alive, if somebody else has removed it, or if something waits in it.
func takeEmpty(stateDir, name string) (*statedir.Dir, error) {
	dead, err := statedir.TryTake(stateDir, name)
	switch {
	case errors.Is(err, statedir.ErrLive), errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("session directory %s: %w", filepath.Join(stateDir, name), err)
	}
	empty, err := spool.Empty(dead.Spool())
	if err != nil || !empty {
		dead.Close()
		if err != nil {
			err = fmt.Errorf("session directory %s: %w", filepath.Join(stateDir, name), err)
		}
		return nil, err
	}
	return dead, nil
}

// removeState removes a session directory, once its sessions are closed in the lock table: since
// nothing of theirs is under way, nobody has to wait for them.
func removeState(ctx context.Context, stateDir, name string, table lockmgr.Table) (bool, error) {
	dead, err := takeEmpty(stateDir, name)
	if dead == nil {
		return false, err
	}
	for _, sid := range dead.Mount().SIDs {
		_, err := lockmgr.Insist(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, table.CloseSession(ctx, sid) })
		if err != nil {
			dead.Close()
			return false, fmt.Errorf("closing its lock session %s: %w", sid, err)
		}
	}
	return true, dead.Remove()
}
