package lockmgr

import (
	"context"
	"time"
)

// A State is what a session's record says of it.
type State string

const (
	// Missing: there is no record (TTL, or an operator deleted it).
	Missing State = ""
	// Alive: the session beats, or somebody has yet to prove that it does not.
	Alive State = "alive"
	// Closed: ended by its owner, with nothing of it under way any more. Its locks are free.
	Closed State = "closed"
	// Dead: declared so by somebody who watched it in silence for a whole lease. Its locks
	// are free Delay after that was seen.
	Dead State = "dead"
	// Expired: dead for longer than Delay. Its locks are free.
	Expired State = "expired"
)

// Known tells whether it is one of these states. A later version may have others.
func (s State) Known() bool {
	switch s {
	case Missing, Alive, Closed, Dead, Expired:
		return true
	}
	return false
}

// A Session is the record of one lock session.
type Session struct {
	SID   string
	State State
	// Beat counts heartbeats. Watchers compare it; nobody compares clocks.
	Beat int64
	// Host, User, PID and Version are for people.
	Host, User string
	PID        int
	Version    string
	// Rev is the table's own mark of the version that was read; KillSession wants it back.
	Rev string
}

// A Lock is the record of one lock. The zero Lock means: free.
type Lock struct {
	// Name is the lock's name in the table: bucket id, NUL, key.
	Name string
	SID  string
	// Nonce is random for each acquisition. Every condition tests it: with the session id
	// alone a late duplicate of an older request would pass (LOCKS, "What the model showed").
	Nonce string
	// Host and Since are for people; Since is the holder's clock.
	Host  string
	Since time.Time
}

// A Table keeps sessions and locks. Every verb sends one attempt (and at most the look-up
// that tells what the answer meant), is atomic, and may be sent again after any error:
// a second application of the same arguments changes nothing or recognises itself. Errors
// are ErrAccessDenied, ErrNoCredentials, ErrNoTable and ErrForeignTable where the table said so, ErrSessionDead
// where named, and otherwise wrap ErrUnavailable: the request may or may not have been, or
// may yet be, applied. Reads are strongly consistent. Methods may be called concurrently.
type Table interface {
	// ReadConfig returns the table's configuration: ErrNoTable if there is no table or it is
	// still empty, ErrForeignTable if something else is in it.
	ReadConfig(ctx context.Context) (Config, error)
	// Init makes table and configuration if they are not there, with our schema and, where
	// wish has none, a random id, and tells whether the configuration is new. One that is there with
	// other times is refused with ErrTiming.
	Init(ctx context.Context, wish Config) (cfg Config, created bool, err error)

	// PutSession creates the session, alive with beat 0. It is fine if it is there and
	// alive (an earlier attempt was applied); ErrSessionDead if it has ended.
	PutSession(ctx context.Context, s Session) error
	// Beat raises the counter of the session if it is alive and returns the names of locks
	// that others asked for since. A name may come again until a later Beat was answered.
	// ErrSessionDead: the session is not alive any more, or missing.
	Beat(ctx context.Context, sid string) (mail []string, err error)
	// GetSession reads a session; its State is Missing where there is none.
	GetSession(ctx context.Context, sid string) (Session, error)
	// KillSession writes state dead if the session is alive and its counter is still that of
	// seen. It returns the record as it is then.
	KillSession(ctx context.Context, seen Session) (Session, error)
	// CloseSession writes state closed, whatever the state was. A missing session is fine.
	CloseSession(ctx context.Context, sid string) error

	// AcquireLock writes l if there is no lock of that name or it has l's nonce, and returns
	// the lock as it is then: it was obtained if that has l's nonce.
	AcquireLock(ctx context.Context, l Lock) (Lock, error)
	// StealLock writes l if the lock has the nonce seen, or l's own, and returns the lock as
	// it is then.
	StealLock(ctx context.Context, l Lock, seen string) (Lock, error)
	// ReleaseLock removes the lock if it has this nonce. Anything else there is fine.
	ReleaseLock(ctx context.Context, name, nonce string) error
	// GetLock reads a lock; the zero Lock where it is free.
	GetLock(ctx context.Context, name string) (Lock, error)

	// SendMail asks the session, if it is alive, for the lock of that name.
	SendMail(ctx context.Context, sid, name string) error

	// Requests counts requests sent, by verb ("acquire", "beat", ...).
	Requests() map[string]int64
}
