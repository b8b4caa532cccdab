package lease

import (
	"context"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// A Lease is the right to change one name, as long as Check returns nil.
type Lease interface {
	// Check returns nil while the lease is proved valid, else why it is not.
	Check() error
	// Lost is closed when the lease is gone for good.
	Lost() <-chan struct{}
	// Wanted is closed when another host asked for the name.
	Wanted() <-chan struct{}
	// Release gives the lease back; it returns at once and may be called twice.
	Release()
}

// Locks hands out leases; Manager makes one of a lockmgr.Manager.
type Locks interface {
	// Acquire waits at most wait for the lease of a name; with 0 it tries once. It fails with
	// *lockmgr.HeldError, lockmgr.ErrUnavailable or the error of ctx.
	Acquire(ctx context.Context, name string, wait time.Duration) (Lease, error)
	// Held tells whether any host, this one included, has the lease of a name, without asking
	// for it. It fails with lockmgr.ErrUnavailable or the error of ctx.
	Held(ctx context.Context, name string) (bool, error)
}

// Manager makes Locks of a lock manager.
func Manager(m *lockmgr.Manager) Locks { return manager{m} }

type manager struct{ m *lockmgr.Manager }

func (l manager) Acquire(ctx context.Context, name string, wait time.Duration) (Lease, error) {
	lease, err := l.m.Acquire(ctx, name, wait)
	if err != nil {
		return nil, err // a nil *Lease in the interface would not be nil
	}
	return lease, nil
}

func (l manager) Held(ctx context.Context, name string) (bool, error) { return l.m.Held(ctx, name) }
