package file

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/store"
)

// Objects is what the table asks of the object store; *store.Client has it. A call that changes
// an object runs the whole protocol of outcomes (LOCKS P4) before it returns.
type Objects interface {
	Head(ctx context.Context, key, version string) (store.Info, error)
	List(ctx context.Context, o store.ListOptions) (store.ListPage, error)
	Put(ctx context.Context, p store.Permit, w store.Write, b store.Body) (store.Info, error)
	Copy(ctx context.Context, p store.Permit, w store.Write, src store.Source) (store.Info, error)
	Delete(ctx context.Context, p store.Permit, d store.Deletion) error
	RemoveVersion(ctx context.Context, p store.Permit, key, version string) error
	AbortUpload(ctx context.Context, key, upload string) error
	Versioned(ctx context.Context) (bool, error)
	Below(ctx context.Context, key, version string) (store.Version, error)
	Settle(ctx context.Context, key string, id store.WriteID, base store.Base, copied bool) (store.Settled, error)
	// MaxSize is the size in bytes of the largest file that can be saved.
	MaxSize() int64
}

// Options are what a Table works with. Objects and Locks are required; so are Spool and Reader,
// except where nothing is called but Locked.
type Options struct {
	Objects Objects
	Locks   lease.Locks
	Spool   *spool.Spool
	Reader  *reader.Reader
	// Root is the key of the directory that is mounted; "" is the root of the bucket.
	Root string
	// Host is this host's name in the names of conflict files.
	Host     string
	Defaults Defaults
	// LockTimeout is how long an open for write waits for the lease.
	LockTimeout time.Duration
	// FlushTimeout is how long close and fsync wait for a commit that makes no progress.
	FlushTimeout time.Duration
	// Quiet is D: how long after the death of its process a request may still land.
	Quiet time.Duration
	// Proc is the process file system; "" is procfs.Default.
	Proc procfs.FS
	Log  *slog.Logger
	// Changed, if set, is told what is in the bucket now under a key that we changed; nil
	// means that it is gone. It is called without a lock held and must not call back.
	Changed func(key string, i *store.Info)
	// Lasting, if set, tells whether a directory of which the bucket has no key is shown on this
	// host all the same. Without it every directory is.
	Lasting func(dirKey string) bool
	// Marker, if set, returns the marker of a directory as this host saw it last, if it did.
	Marker func(dirKey string) (store.Info, bool)
}

// A Table is the table of open files of one mount.
type Table struct {
	o      Options
	leases *lease.Pool

	// background ends the work that outlives its callers: commits that go on after an EIO, and
	// those after the last close. No parameter can carry it.
	background context.Context
	stop       context.CancelFunc
	work       tasks // what has to be done
	watchers   tasks // what ends with background

	changedHere changed
	reports     atomic.Int64 // commits that the log tells of
	said        *seldom.Log  // what may come again and again
	hopeless    sync.Map     // what a recovery can never save: Recovery.seed -> error

	mu     sync.Mutex       // taken before any File.mu
	files  map[string]*File // by key; a detached File is not in it
	closed bool
	parked []Left // files that the bucket refused
	lost   []Left // keys of which a request may still land when the table ends, or parts stay
}

// NewTable returns an empty table.
func NewTable(o Options) *Table {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Proc == "" {
		o.Proc = procfs.Default
	}
	t := &Table{o: o, leases: lease.NewPool(o.Locks, o.Host), files: make(map[string]*File)}
	t.said = seldom.New(o.Log)
	t.background, t.stop = context.WithCancel(context.Background())
	return t
}
