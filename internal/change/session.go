package change

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// Options of a Session. The zero value of a field that is not named as required is fine.
type Options struct {
	// Host is this host's name, for those who wait for it. Required.
	Host    string
	Version string // of the program
	// LockTimeout is how long a name is waited for; 0: as long as an open does by default.
	LockTimeout time.Duration
	// Degraded: the user accepts a server that does not judge conditions of DELETE.
	Degraded bool
	// Say is told in one line each what the user should know of the server; warn says that it is to
	// his harm. Nil: nobody is told.
	Say func(warn bool, line string)
	Log *slog.Logger
}

// A Session changes objects of a volume. It is safe for concurrent use. Nothing is sent to the lock
// table before the first change.
type Session struct {
	// Objects is the bucket.
	Objects *store.Client
	files   *file.Table
	locks   *lockmgr.Manager
	silence time.Duration
}

// Open makes everything ready to change objects of a volume, whose server is proved unless it was
// before. It fails in one line that says what to do. Close ends the session, not the volume.
func Open(ctx context.Context, v *volume.Volume, o Options) (*Session, error) {
	versioned, err := v.Versioned(ctx)
	if err != nil {
		return nil, err
	}
	if o.Say == nil {
		o.Say = func(bool, string) {}
	}
	if err := v.Trust(ctx, volume.Proving{Versioned: versioned, Degraded: o.Degraded, Say: o.Say}); err != nil {
		return nil, err
	}
	t, err := v.LockTable(ctx)
	if err != nil {
		return nil, err
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = t.LockTimeout()
	}
	locks := lockmgr.New(t.Table, t.Config, lockmgr.Options{
		BucketID: v.Bond.ID, Name: rand.Text(), Host: o.Host, User: volume.UserName(), PID: os.Getpid(), Version: o.Version, Log: o.Log,
		Bound: v.Bound,
	})
	return New(v.Bucket, locks, v.Source.Prefix, t.FlushTimeout(), o), nil
}

// New makes a session of its parts. root is the key of the directory whose parents are not looked at.
func New(objects *store.Client, locks *lockmgr.Manager, root string, flushTimeout time.Duration, o Options) *Session {
	timing := locks.Timing()
	return &Session{
		Objects: objects, locks: locks, silence: timing.Lease + timing.Delay,
		files: file.NewTable(file.Options{
			Objects: objects, Locks: lease.Manager(locks), Root: root, Host: o.Host,
			LockTimeout: o.LockTimeout, FlushTimeout: flushTimeout, Quiet: timing.Delay, Log: o.Log,
		}),
	}
}

// Locked leases the name of a key, looks at it, and calls do, as file.Table.Locked does. The end of
// ctx ends the wait for the lease and keeps anything more from being sent; what was sent is settled.
func (s *Session) Locked(ctx context.Context, key string, do func(l *file.Locked) error) error {
	return s.files.Locked(ctx, key, do)
}

// Abandon ends what is under way without waiting for the outcome.
func (s *Session) Abandon() { s.files.Abandon() }

// Silence is for how long at most a name whose outcome is unknown stays locked.
func (s *Session) Silence() time.Duration { return s.silence }

// closeTimeout bounds the last words to the lock table.
const closeTimeout = 10 * time.Second

// Close gives the leases back, except those of names whose outcome is unknown, and ends the
// session. Nothing may be under way. If it fails the leases are free after Silence.
func (s *Session) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	left, err := s.files.Shutdown(ctx)
	for _, l := range left {
		if l.Unanswered {
			cancel() // the session has to fall silent
		}
	}
	if cerr := s.locks.Close(ctx); err == nil {
		err = cerr
	}
	return err
}
