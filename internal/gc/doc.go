// Package gc finds what nobody needs any more: records of the bucket's lock table, objects that a
// probe of the server has left, multipart uploads that nobody will complete, and session directories
// of this host in which nothing waits.
//
// What is found is listed first and removed only in the state in which it was found. Nothing
// that a living mount may need is ever found: a lock goes only if it is free or its session has
// ended, a session only if it has ended and has no lock any more. One that says alive is watched for a
// lease; if it is silent it is killed before a removal, as a taker of its locks does. Requests of a session that has
// ended may still be under way for the lock table's delay (LOCKS P2), so that such an Item says how
// long it has to rest. What cannot be looked at is named, and keeps nothing else from being found.
package gc
