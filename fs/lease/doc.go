// Package lease shares the leases of this mount among its local users. It knows nothing of
// files, objects or the kernel.
//
// # Terms
//
// A lease is the right to write one name, which the lock table grants to this mount. A Hold is
// one local user's share in it: several open files, or an open file and an operation on its
// name, can hold one lease at the same time. The lease goes back when its last Hold is
// released.
//
// A name has one lease: the object "n" and the directory "n/" are the same name, and so the
// same lock (LOCKS P2). Whoever changes what is under a name bars its lease until he releases
// his Hold: until then his request may land at any moment, and nobody else here may rely on
// what he has seen.
//
// # Locks
//
//	entry.gate  one token for each name: held while its lease is acquired, taken with a limit
//	Pool.mu     short; only the release of a lease, which does not wait, is called under it
package lease
