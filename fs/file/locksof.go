package file

import (
	"context"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// LocksOf makes Locks of a lock manager.
func LocksOf(m *lockmgr.Manager) Locks { return managerLocks{m} }

type managerLocks struct{ m *lockmgr.Manager }

func (l managerLocks) Acquire(ctx context.Context, key string, wait time.Duration) (Lease, error) {
	lease, err := l.m.Acquire(ctx, key, wait)
	if err != nil {
		return nil, err // a nil *Lease in the interface would not be nil
	}
	return lease, nil
}
