// Package history tells what was under a name: on a versioned bucket every close is a
// version, and a deletion is one too (a delete marker). A History keeps nothing; each call asks
// the bucket.
//
// # Names of versions
//
//	2026-11-22T18.29.05Z.000~3sL4kqtJ.txt           a version of notes.txt
//	2026-11-22T18.29.06Z.000~c81YwNa0~meta.txt      one with the same content as the one before
//	2026-11-22T18.29.07Z.000~Ub2xPqLm~deleted.txt   a deletion
//
// They are the second (UTC) of the version's time, its place among the versions of the same second,
// the beginning of its id, what it is, and the suffix of the file's own name, by which programs know
// what a file is. In the order of text they are in the order of time. There is no colon, since tar,
// rsync and scp take x:y for a host.
//
// A name is found by its id alone (Named): when older versions are removed for good the places change,
// and what was "meta" may be the first version with its content. Whoever has read a name finds the
// version as long as it exists, and never another one.
//
// # The past
//
// A Past shows directories as they stood at a time (past.go). One walk through a list of versions finds
// what stood under each key (pastwalk.go) and makes the listings of a directory and of those below
// (pastlisting.go, pastbuild.go); they are remembered, for good where nothing can change any more
// (pastsettled.go).
package history
