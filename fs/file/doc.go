// Package file is the table of open files and the way of their data from write(2) to the
// bucket. It knows nothing of FUSE and nothing of how the bucket is reached.
//
// # The story
//
// Open for write takes the lease of the name and then looks at what is there: that is the
// base. Write puts bytes into the spool; what was not written shows the base. Close and fsync
// seal what the file holds at that moment: they journal it with a write id and put it into
// the queue of the file. The drain of the file sends one seal after the other, each by one
// request that is conditional on what the one before it left. The last close ends the live
// time of the file and releases the lease.
//
// When the base is not what is in the bucket any more, the content goes into a conflict file
// beside the name. When the bucket does not answer, close answers ErrUnsaved after the flush
// timeout and the work goes on in the background. When the lease is lost it is taken again if
// nobody else has it and nobody has written. When the process dies, the next one finds the
// journal.
//
// # Index
//
//	Who may set the base?                    File.core alone: begin, landed, moved (state.go)
//	Where is a lease taken, and the name     Table.claim (claim.go), and what else is looked
//	  looked at?                             at under it: look.go
//	Where is the condition made?             File.commit sets the base of the write (commit.go);
//	                                         store makes If-Match or If-None-Match of it
//	What seals, and when?                    File.seal (seal.go), from File.save (save.go)
//	Who sends, and who tries again?          File.drain (drain.go)
//	What ends a wait?                        an outcome, the flush timeout, the caller's death:
//	                                         File.save; for changes of names: carryout.go
//	Which close or fsync fails?              File.tell, File.remember (save.go), Handle.failure
//	When does a close commit?                Handle.defers (handle.go), descriptors.go
//	What may be sent without a lease?        unleased.go; every caller of store.Unleased is listed
//	                                         in a test of store
//	What happens when a lease is lost?       File.watch, File.permit (lost.go)
//	When is a file put into conflict?        File.conflict (conflict.go), called by commit, claim
//	                                         and watch
//	Who reads what?                          Handle.follows (handle.go), Table.follow (open.go),
//	                                         Table.Attr and AttrOf (live.go)
//	What does a dead process leave?          recover.go, recoverseals.go; what it kept beside a
//	                                         name: keeper.go
//	How is a name changed?                   make.go, unlink.go, rename.go, and halfrenamed.go if
//	                                         it comes half-way; what becomes of its directory
//	                                         meanwhile: parent.go
//
// # Invariants
//
// File.check checks those that can be seen from one file; tests call it after each step, and
// builds with the race detector whenever File.mu is given back.
//
//	I1  Who has something to save is live, and a live file has a share in a lease, which is
//	    valid or lost without our knowing.
//	I2  The base is known before the first byte is accepted.
//	I3  Accepted bytes that are not in an object are in the spool, and in its journal.
//	I4  No request that changes the bucket is sent without a condition.
//	I5  Every write id that was acknowledged is once in the chain of versions, over its base.
//	I6  A file counts its handles: those that were released are gone, those that may write are
//	    writers.
//	I7  Of a live file that has nothing to save the spool holds nothing or the base.
//	I8  Every commit that failed is told to at least one close or fsync.
//	I9  At most one attempt of a change can still land.
//
// # Locks
//
//	File.op     the op lock: held across uploads, taken with a context or for a limited time
//	  Table.mu  short
//	    File.mu short: pages are copied to the page cache under it, nothing is synced
//	lease.Pool, File.waiting, report.mu, patience.mu, pin.mu: leaves
//
// Two op locks are held in Rename, in key order, by a recovery, which locks "n" before "n/", and by the
// look above a new name, which locks that name before its directory's. No mutex is held over a request, a sync
// or a callback.
package file
