package lockmgr

import "context"

// A Record is one record of a lock table as Records found it: a session or a lock.
type Record struct {
	// Session is set for a session. One whose State is Missing has left nothing but mail.
	Session *Session
	// Lock is set for a lock. One without Nonce is free and has a record all the same.
	Lock *Lock
	// Rev is the table's own mark of the state that was found.
	Rev string
}

// Records are the records of a table as a whole, for those who clean up. The tables of this
// module have them beside Table.
type Records interface {
	// Records calls use with each session, then with each lock, as they were found one after
	// the other, and ends with its first error. It fails as the verbs of Table do.
	Records(ctx context.Context, use func(Record) error) error
	// Removable fails with ErrNoRemoval where the server cannot be trusted with a removal; then
	// Remove does too.
	Removable() error
	// Remove removes a record, with the mail of a session, if it is still as it was found, and
	// tells whether it did.
	Remove(ctx context.Context, r Record) (removed bool, err error)
}
