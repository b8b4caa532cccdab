// Package flatstore keeps S3 objects in a folder: an index in one bbolt file, and the
// contents in files of their own. It is a backend of versitygw's protocol front.
//
// # Terms
//
// The row of a version holds all that is known of it; the rows of a bucket are sorted by
// key and, within a key, newest first, so listings read them in order. What a multipart
// upload makes is as old as the upload, as in S3: its sequence number was taken by
// CreateMultipartUpload, so that a version made meanwhile stays the current one. Keys are
// bytes without any structure: a, a/ and a/b live beside each other.
//
// The content of a version is a list of extents, stretches of segments. A segment is a
// file in objects/ that is written once, or, up to 16 KiB, a row of the index. Segments
// count their references: CopyObject, UploadPartCopy and CompleteMultipartUpload refer to
// the content that is there, and move none.
//
// # Guarantees
//
// A change is on disk before it is answered: the content file, its name, then the index.
// A condition is judged in the transaction that makes the change, so of many writers that
// expect the same version one wins. A crash at any point leaves either the change or
// nothing; content files that no row refers to are removed at the next Open. A reader
// gets the version it was promised, whole, whatever happens to its key meanwhile.
//
// # How a change goes
//
// The body is received into a new file, checked and synced (stage). The operation waits
// in the queue; one goroutine takes all that wait and runs them in one transaction. Files
// whose last reference went are removed after the commit, when no reader has them pinned.
//
// # Locks
//
// Store.closing, then files.barrier, then files.mu. None is held while a client sends or
// receives.
package flatstore
