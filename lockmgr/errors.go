package lockmgr

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrLost: the session that held the lease is dead; whatever it protected may have
	// changed.
	ErrLost = errors.New("the lock session was lost")
	// ErrExpired: the lease cannot be proved valid at this moment (no good heartbeat for
	// Lease minus margin). It may become valid again with the next good beat. It may be
	// ErrNoCredentials, too, which says why there is none.
	ErrExpired = errors.New("the lease is not proved valid")
	// ErrUnbound: this table is not the one to lock in any more, as Options.Bound says.
	ErrUnbound = errors.New("this lock table is not the one to lock in")
	// ErrUnavailable: the lock table could not be reached until the wait ended.
	ErrUnavailable = errors.New("the lock table is unavailable")
	// ErrClosed: the manager was closed.
	ErrClosed = errors.New("the lock manager is closed")
	// ErrNoTable: the lock table does not exist.
	ErrNoTable = errors.New("no such lock table")
	// ErrForeignTable: the table exists but is not a lock table of ours, or of a newer schema.
	ErrForeignTable = errors.New("not a lock table of this program")
	// ErrReplicated: the table is written in several places that can disagree for a time, so
	// that two hosts would get one lock.
	ErrReplicated = errors.New("its regions can grant one lock twice")
	// ErrTiming: the table is in use with other times.
	ErrTiming = errors.New("the lock table has other times")
	// ErrSessionDead: the session's record says that it ended, or is gone. Of the Table
	// interface; callers of the Manager see ErrLost.
	ErrSessionDead = errors.New("the lock session is dead")
	// ErrAccessDenied: credentials are missing, wrong or not allowed to do this.
	ErrAccessDenied = errors.New("access to the lock table denied")
	// ErrNoRemoval: the server is not known to judge a condition on DELETE, so that a record
	// could be removed in a state that nobody has seen.
	ErrNoRemoval = errors.New("the server is not known to remove under a condition")
	// ErrNoCredentials: there are no valid credentials, at least not now. It is ErrAccessDenied,
	// too.
	ErrNoCredentials = fmt.Errorf("no credentials: %w", ErrAccessDenied)
)

// A HeldError says that somebody else holds the lock and for how long it was waited.
type HeldError struct {
	Key    string
	Host   string
	User   string    // whose mount it is; "": not known
	PID    int       // of the mount; 0: not known
	Since  time.Time // the holder's clock; for people only; zero: not known
	Waited time.Duration
}

func (e *HeldError) Error() string {
	h := Holder{Host: e.Host, User: e.User, PID: e.PID, Since: e.Since}
	return fmt.Sprintf("%q is locked by %s (waited %s)", e.Key, h, e.Waited.Round(time.Millisecond))
}
