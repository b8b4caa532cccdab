package store

import (
	"errors"
	"fmt"
)

// Errors that callers act on. They are matched with errors.Is; the wrapped cause names
// the operation and the key.
var (
	// ErrNotFound: no object (or version) is there, or a delete marker is current.
	ErrNotFound = errors.New("no such object")
	// ErrNoBucket: the bucket does not exist.
	ErrNoBucket = errors.New("no such bucket")
	// ErrPrecondition: the precondition of a request does not hold (412). The Client
	// returns it for reads alone; of a mutation it makes ErrConflict, once it has looked.
	ErrPrecondition = errors.New("the precondition failed")
	// ErrBusy: another operation on the key was under way (409
	// ConditionalRequestConflict); nobody may have won. The Client tries again.
	ErrBusy = errors.New("a conflicting operation is under way")
	// ErrConflict: the key holds another version than the write's Base, and it is not
	// ours. Nothing of this write is or will be in the bucket, unless it is ErrOverlaid too.
	ErrConflict = errors.New("the object was changed by somebody else")
	// ErrOverlaid is the ErrConflict of a write that is, or may be, in the history below somebody
	// else's version, which may have grown from it.
	ErrOverlaid = fmt.Errorf("%w, whose version lies over ours", ErrConflict)
	// ErrUnknownOutcome: the context ended while it was unknown whether the write
	// landed. It may be in the bucket, now or later.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrUnavailable: the store could not be reached or kept refusing for load until
	// the context ended; the request had no effect.
	ErrUnavailable = errors.New("the object store is unavailable")
	// ErrAccessDenied: credentials are missing, wrong or not allowed to do this.
	ErrAccessDenied = errors.New("access denied")
	// ErrNoCredentials: there are no valid credentials, at least not now. It is both
	// ErrAccessDenied, for who asked, and ErrUnavailable: what has to be done is to be tried again.
	ErrNoCredentials error = noCredentials{}
	// ErrRetained: Object Lock refuses.
	ErrRetained = errors.New("held by object lock")
	// ErrArchived: the object is in an archive storage class and was not restored.
	ErrArchived = errors.New("archived and not restored")
	// ErrMetadataFull: S3's 2 KiB of user metadata have no room for mode, mtime, write id
	// and base.
	ErrMetadataFull = errors.New("no room in the object's metadata")
	// ErrTooLarge: over the limits of an object.
	ErrTooLarge = errors.New("larger than an object can be")
	// ErrBadRange: the range starts beyond the end of the object.
	ErrBadRange = errors.New("range outside the object")
	// ErrRefused: any other definite refusal by the server; resending is of no use.
	ErrRefused = errors.New("refused by the object store")
	// ErrNotImplemented: the server does not know the request. It is one of ErrRefused.
	ErrNotImplemented = fmt.Errorf("%w: not implemented there", ErrRefused)
	// ErrNotPermitted: the Permit was not valid (any more); nothing was sent, or the
	// attempt was cut before its last byte.
	ErrNotPermitted = errors.New("the lease is not valid")
)

type noCredentials struct{}

func (noCredentials) Error() string { return "access denied" }

// Is makes it two errors.
func (noCredentials) Is(target error) bool {
	return target == ErrAccessDenied || target == ErrUnavailable
}
