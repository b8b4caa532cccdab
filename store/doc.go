// Package store reads and changes the objects of one bucket. It knows nothing of files,
// locks or FUSE.
//
// # Terms
//
// A version of an object is named by its version id, or in a bucket that keeps no versions
// by ETag and LastModified. A Base is the version that an author has seen under a name, and
// the precondition of what he writes there. A write id is a random id in the metadata of
// every version that we make. A Permit is whatever allows a change, usually a lease. An
// attempt is one request on the wire; API makes attempts, Client makes operations of them.
//
// # Guarantees
//
// Every request that changes an object carries a precondition on what its author saw:
//
//	Put, Copy       If-Match with the base's ETag, or If-None-Match: * where nothing was
//	multipart       the same on CompleteMultipartUpload; parts publish nothing
//	Copy, source    version id and ETag of the version that was seen
//	Delete          If-Match with the base's ETag
//
// On a server that ignores some of these a version is made by others (see Flaws and way.go).
//
// It is begun, and its body gets to its last byte, only under a valid Permit. At most one
// attempt of an operation can land at any time: one that ended without an answer is looked
// up by its write id, and sent again only when the quiet time is over and the base is still
// there (see mutation). So an operation that returns has happened exactly once (nil), or has
// not happened and never will (any error but ErrUnknownOutcome).
//
// S3 orders the versions of a key by the start of a multipart upload, so that what somebody
// else has made since may lie over the version that the upload becomes. Hence an upload has
// only happened when its version was seen to be the current one. Else it is a conflict, and
// the version is left in the history.
//
// # Errors
//
// Operations that change something:
//
//	ErrConflict        somebody else's version is there
//	ErrNotPermitted    the permit was not valid; nothing can land any more
//	ErrUnavailable     ctx ended before the server took the request
//	ErrUnknownOutcome  ctx ended before it was known what had become of the request
//	ErrNotFound        Delete: nothing is there
//	ErrMetadataFull    Put, Copy: no room for our own metadata
//	ErrNoCredentials   there are none that are valid, and nothing can land any more
//	ErrTooLarge        more than MaxSize, or than the server takes
//	refusals           ErrAccessDenied, ErrRetained, ErrArchived, ErrNoBucket, ErrRefused
//
// Operations that read are tried for 30 s and then fail with ErrUnavailable; with the cause
// of ctx, if the caller cancels it; otherwise with ErrNotFound, ErrPrecondition, ErrBadRange,
// ErrArchived, ErrAccessDenied, ErrNoCredentials, ErrNoBucket or ErrRefused.
//
// Nothing is logged above level debug: errors are returned.
//
// # Servers
//
// Probe finds what a server does otherwise than S3 (Flaws), and SetFlaws makes the Client go
// around that.
//
// # Memory
//
// Bodies on their way are in at most 8 buffers of 8 MiB for the whole Client, and small
// ones in memory of their own. What is larger is read twice instead: a part of an object over
// 78 GiB, and a body that is sent in one piece to a server that ignores conditions of Complete.
package store
