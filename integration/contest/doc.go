// Package contest shows whether a mount loses updates of somebody who has never heard of it, on
// whatever server. A foreign S3 client changes objects as a careful program does: it reads, adds a
// line, and writes under the condition that nobody else wrote meanwhile. At the same time programs on
// two mounts do to the same objects what mounts do: small and large saves, changes of attributes,
// renames and removals. Now and then a mount stops for a moment, as on a loaded machine.
//
//	jobs.go     what is done to which file
//	worker.go   the program that runs on a mount, a process of its own
//	foreign.go  the writer that never heard of latchfs
//	judge.go    what became of every line, and on top of what each request of a mount came to lie
//	run.go      one contest from its beginning to its end
//	trace.go    what happened, where lines are lost
//
// There are two judges, so that one cannot hide what the other one sees. The first reads what is
// there in the end: every acknowledged line has to be in the file or in a conflict file beside it. The
// second reads the history: what a request of a mount wrote or deleted has to lie right on top of the
// version that its condition names.
package contest
