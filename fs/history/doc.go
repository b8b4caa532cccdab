// Package history tells what was under a name: on a versioned bucket every close is a
// version, and a deletion is one too (a delete marker). It keeps nothing; each call asks the
// bucket.
//
// # Names of versions
//
//	2026-11-22T18:29:05Z.000~3sL4kqtJ           a version
//	2026-11-22T18:29:07Z.000~Ub2xPqLm~deleted   a deletion
//
// They are the second (UTC) of the version's time, its place among the versions of the same
// second, and the beginning of its id. In the order of text they are in the order of time. A
// name changes neither when versions are added nor when the newest ones are removed.
package history
