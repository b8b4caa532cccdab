package file

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// Objects is what the table asks of the object store; *store.Client has it. Every
// mutation runs the whole protocol of outcomes (LOCKS P4) before it returns.
type Objects interface {
	Head(ctx context.Context, key, version string) (store.Info, error)
	List(ctx context.Context, o store.ListOptions) (store.ListPage, error)
	Put(ctx context.Context, p store.Permit, w store.Write, b store.Body) (store.Info, error)
	Copy(ctx context.Context, p store.Permit, w store.Write, src store.Source) (store.Info, error)
	Delete(ctx context.Context, p store.Permit, d store.Deletion) error
	Settle(ctx context.Context, key string, id store.WriteID, base store.Base) (store.Settled, error)
}

// A Lease is the right to change one key, as long as Check returns nil.
type Lease interface {
	store.Permit
	// Lost is closed when the lease is gone for good.
	Lost() <-chan struct{}
	// Wanted is closed when another host asked for the key.
	Wanted() <-chan struct{}
	// Release gives the lease back; it returns at once and may be called twice.
	Release()
}

// Locks hands out leases; LocksOf makes one of a lockmgr.Manager.
type Locks interface {
	// Acquire waits at most wait for the key's lease; with 0 it tries once. It fails with
	// *lockmgr.HeldError, lockmgr.ErrUnavailable or the error of ctx.
	Acquire(ctx context.Context, key string, wait time.Duration) (Lease, error)
}

// Options are what a Table works with. Objects, Locks, Spool and Reader are required.
type Options struct {
	Objects Objects
	Locks   Locks
	Spool   *spool.Spool
	Reader  *reader.Reader
	// Host is this host's name in the names of conflict files.
	Host     string
	Defaults Defaults
	// LockTimeout is how long an open for write waits for the lease.
	LockTimeout time.Duration
	// FlushTimeout is how long close and fsync wait for a commit that makes no progress.
	FlushTimeout time.Duration
	// Quiet is D: how long after the death of its process a request may still land.
	Quiet time.Duration
	// Proc is where the process file system is mounted; "" is /proc.
	Proc string
	Log  *slog.Logger
	// Changed, if set, is told what is in the bucket now under a key that we changed; nil
	// means that it is gone. It is called without a lock held and must not call back.
	Changed func(key string, i *store.Info)
}

// A Table is the table of open files of one mount.
type Table struct {
	o      Options
	leases *leases
	procs  procs

	// background ends the work that outlives its callers: commits behind an EIO and after
	// the last close. No parameter can carry it.
	background context.Context
	stop       context.CancelFunc
	work       tasks // what has to be done
	watchers   tasks // what ends with background

	mu     sync.Mutex       // taken before any File.mu
	files  map[string]*File // by key; a detached File is not in it
	closed bool
	parked []Left // files that the bucket refused
	lost   []Left // keys of which a request may still land when the table ends
}

// NewTable returns an empty table.
func NewTable(o Options) *Table {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	t := &Table{o: o, leases: newLeases(o.Locks, o.Host), procs: procs{root: o.Proc}, files: make(map[string]*File)}
	t.background, t.stop = context.WithCancel(context.Background())
	return t
}
