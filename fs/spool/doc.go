// Package spool keeps bytes that a file system accepted and that are not in the bucket
// yet, so that they survive a crash of the process, and what close and fsync asked to
// save, so that a power cut does not take it (SEMANTICS G5).
//
// # Layout
//
//	DIR/format        the format number; one that is not known is refused
//	DIR/ops           journal of mutations without data (delete, copy) and of uploads
//	DIR/f-000001/     one directory per dirty file
//	    journal       what was done to it, append-only
//	    data          the bytes, append-only
//	DIR/bad-f-000002/ set aside by a recovery that could not read it; never removed
//
// A spool is written in format 2. ScanDir also reads what a program that wrote format 1
// left.
//
// # What a file's journal says
//
// Bytes, sizes and attributes are recorded when they are accepted. What close or fsync
// asks to save becomes a seal at once, also while a seal before it has no answer: then it
// names that one (Seal.After), and the version that that one becomes is its base. So the
// seals of a file are a queue, and they land in its order. Each of them holds all changes up
// to it; a seal that does not follow another one therefore replaces it, which its owner does
// once it knows that nothing of the other can land. A seal is attempted, perhaps without a
// lease, and answered; recovery finds the queue with what is known of each seal, and the
// changes after the last one: bytes (Found.Tail) and attributes (Found.Attrs).
//
// # How it stays readable
//
// The data file only grows, so an extent never changes once it is written: a snapshot is
// the list of its extents, and a commit reads one point in time while the program writes
// on. Each journal record carries its length and a checksum, each write record the
// checksum of its bytes. Recovery replays the journal up to the first record that is torn
// or whose bytes are not on the disk, so that it gets the file as it was at one moment,
// never a mixture. A write is accepted once its record is in the page cache: that
// survives kill -9. Only Sync makes it survive a power cut. The journal of operations is
// never synced: after a power cut an upload may stay that nobody knows of.
//
// A record that cannot be read is a torn tail, which was never accepted or never
// promised, unless a later record says that everything before had been synced, or the
// machine has not been started anew since and sound records follow it: then the journal
// is corrupt and its directory is set aside.
//
// An error of the disk while a spool is read says nothing about what is on it. Such a file
// stays where it is for another try, the others are recovered, and as long as anything was not
// read every key counts as one of which a request may still land.
//
// # A full disk
//
// Before a change is accepted, the journal reserves the room for its seal and for the
// attempts and answers of all seals: what was accepted can always be saved.
//
// # Locks
//
// File.mu is taken before Spool.mu; neither is held across a sync.
package spool
