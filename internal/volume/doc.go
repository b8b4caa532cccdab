// Package volume reaches what a command works on: a bucket, or the part of it below a
// prefix, and the lock table that the bucket is bound to by .latchfs/bucket.json
// (LOCKS P1). A command that needs no mount needs no more than this.
//
// ParseSource reads what the user names. Open reaches the bucket and reads its bond,
// LockTable reaches the lock table and checks that it is the one of the bond, and Init
// makes bucket, table and bond, or checks them. FindTarget reads the path of a file, below a mount of
// this host or in a bucket, and Choose settles what only the bucket can tell of it. Whatever goes wrong comes back as one
// line that says what to do.
package volume
