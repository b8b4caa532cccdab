package lockmgr

import (
	"context"
	"errors"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
)

// A Record is one record of a lock table as Records found it: a session or a lock.
type Record struct {
	// Session is set for a session. One whose State is Missing has left nothing but mail.
	Session *Session
	// Lock is set for a lock. One without Nonce is free and has a record all the same.
	Lock *Lock
	// Rev is the table's own mark of the state that was found; for a session it is that of Session.
	Rev string
	// Err says why the record could not be read: ErrUnavailable, or ErrForeignTable if it is
	// damaged. Then of Session and Lock the one that it would be has nothing but its id or what the table
	// calls it.
	Err error
}

// Records are the records of a table as a whole, for those who clean up. The tables of this
// module have them beside Table.
type Records interface {
	// Records calls use with each session, then with each lock, as they were found one after
	// the other, and ends with its first error. What does not answer is asked again some times. It fails as the verbs of Table do.
	Records(ctx context.Context, use func(Record) error) error
	// Removable fails with ErrNoRemoval where the server cannot be trusted with a removal; then
	// Remove does too.
	Removable() error
	// Remove removes a record, with the mail of a session, if it is still as it was found, and
	// tells whether it did.
	Remove(ctx context.Context, r Record) (removed bool, err error)
}

const (
	// insistAttempts is how often Insist sends a request.
	insistAttempts = 3
	// insistTimeout bounds one of them.
	insistTimeout = 10 * time.Second
)

// Insist repeats a request that may be sent twice while the table does not answer: three times
// at most, of 10 s each.
func Insist[T any](ctx context.Context, request func(context.Context) (T, error)) (v T, err error) {
	pause := wait.Backoff{First: 100 * time.Millisecond, Last: 2 * time.Second}
	for range insistAttempts {
		v, err = bounded(ctx, request)
		if !errors.Is(err, ErrUnavailable) || !pause.Wait(ctx, nil) {
			break
		}
	}
	return v, err
}

// bounded sends a request once.
func bounded[T any](ctx context.Context, request func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, insistTimeout)
	defer cancel()
	return request(ctx)
}
