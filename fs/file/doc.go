// Package file is the table of open files and the way of their data from write(2) to the
// bucket. It knows nothing of FUSE and nothing of how the bucket is reached.
//
// # The story
//
// Open for write (open.go, begin.go) takes the lease of the key and then looks at what is
// there: that is the base. Write (write.go) puts bytes into the spool; what was not written
// shows the base. Close (handle.go, Flush) commits, unless the caller's or the opener's process still
// holds a descriptor with write access (descriptors.go). A commit (commit.go) takes a
// snapshot, journals it with a write id, and makes it a version by one request that is
// conditional on the base. The last close releases the lease (end.go). The three functions to
// read are File.begin, File.commit and File.end.
//
// When the base is not what is in the bucket any more, the content goes into a conflict
// file (conflict.go, keeper.go); when the bucket does not answer, close answers ErrUnsaved after the
// flush timeout and the work goes on behind (commit.go, save); when the lease is lost it is
// taken again if nobody else has it (lost.go); when the process dies, the next one finds
// the journal (recover.go).
//
// # Names and files
//
// A File is what handles have open; its name, lease and place in the table can be taken
// from it (unlink.go, rename.go, conflict.go). What changes names without bytes (names.go,
// unlink.go, rename.go) runs under the kernel's lock of the directory and answers soon
// (settle.go), with the settling of an unknown outcome behind.
//
// # States
//
// state.go has all states of a File and all transitions between them.
//
// # Locks
//
//	File.op     held across uploads, taken with a context or for a limited time
//	  Table.mu  short
//	    File.mu short: pages are copied to the page cache under it, nothing is synced
//	leases.mu, File.waiting, report.mu, patience.mu, pin.mu: leaves
//
// Two op slots are held only in Rename, in key order.
package file
