// Package change changes objects from outside a mount, by the code of a mount: whoever has a file
// open on any host, this one included, is waited for, and nothing is overwritten that was not seen.
//
// A Session is to the lock table what a mount is. It takes the lease of a name (Locked), under which
// the name is looked at and changed, under conditions, with a write id, and settled as LOCKS P4
// says. It keeps nothing on this host: when its process is killed, its leases are free once others
// have seen it silent for the lock table's lease and delay, after which nothing of it can land.
//
// # Errors
//
//	*lockmgr.HeldError       somebody else has the name
//	store.ErrConflict        somebody was faster; his version stays
//	store.ErrUnknownOutcome  what was sent may have landed or land yet; the name stays locked until
//	                         it cannot any more (Session.Silence)
//	cause of the context     it was interrupted and changed nothing
package change
