// Package lockmgr gives leases on keys to the mounts of several hosts, through a lock table
// that all of them reach. It knows nothing of objects, files or the kernel.
//
// # Terms
//
// A mount has a session: a record in the table with a counter that the mount raises every
// Beat. A lock is a record that names its session and a nonce, random for each
// acquisition. A Lease is the right that a lock record gives, while the session is proved
// alive. Mail is the wish of others for a lock, kept with the session of its holder, who sees it
// in the answer to a heartbeat.
//
// # What it promises
//
// At any time at most one lease of a key is valid (Lease.Check returns nil) on all hosts
// together, and between the last moment a lease that was not released was valid and the
// next lease of its key at least Delay passes. Data does not rest on this alone: every write
// is conditional on what its author saw. The lease turns conflicts at close into waiting
// at open, and Delay lets the last requests of a dead holder die out.
//
// # Why it holds
//
// No two clocks are compared. A holder counts Lease minus margin from when it sent a
// heartbeat that was answered. Who wants its lock counts Lease on his own clock, from an
// answer that showed a counter to one that shows the same, with no failed or late read
// between, and then writes "dead" under the condition that the counter is still the one seen.
// The last heartbeat that was applied was sent before the first of those answers, so the
// holder's time is over before the other's. Both clocks are CLOCK_BOOTTIME, which runs on
// through a suspend. Every condition on a lock tests its nonce: a request of an earlier
// acquisition that arrives late or twice finds another nonce, and does nothing.
//
// An attempt whose answer was lost is sent again as it was, and recognises what it did. What an
// abandoned one leaves in the table is removed by nonce: at once, and, if it lands later still,
// when the next host that wants the key sends mail.
//
// # Locks in the process
//
//	slot.gate     one token for each key: held from the start of an acquisition to the answer of
//	              the release, and waited for with a context
//	Manager.mu    short; never held over a request
//	session.mu    a leaf
package lockmgr
