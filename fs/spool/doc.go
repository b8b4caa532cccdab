// Package spool keeps bytes that a file system accepted and that are not in the bucket
// yet, so that they survive a crash of the process, and what close and fsync asked to
// save, so that a power cut does not take it (SEMANTICS G5).
//
// # Layout
//
//	DIR/format        the format number; another one is refused
//	DIR/ops           journal of mutations without data (delete, marker, copy)
//	DIR/f-000001/     one directory per dirty file
//	    journal       what was done to it, append-only
//	    data          the bytes, append-only
//	DIR/bad-f-000002/ set aside by a recovery that could not read it; never removed
//
// # How it stays readable
//
// The data file only grows, so an extent never changes once it is written: a snapshot is
// the list of its extents, and a commit reads one point in time while the program writes
// on. Each journal record carries its length and a checksum, each write record the
// checksum of its bytes. Recovery replays the journal up to the first record that is torn
// or whose bytes are not on the disk, so that it gets the file as it was at one moment,
// never a mixture. A write is accepted once its record is in the page cache: that
// survives kill -9. Only Sync makes it survive a power cut.
//
// A record that cannot be read is a torn tail, which was never accepted or never
// promised, unless a record says behind it that everything before had been synced, or the
// machine has not been started anew since and sound records stand behind it: then the
// journal is corrupt and its directory is set aside.
//
// # Locks
//
// File.mu is taken before Spool.mu; neither is held across a sync.
package spool
