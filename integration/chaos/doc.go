// Package chaos is a random model of everything at once: programs on several hosts work on a
// few names, their mounts are killed, stopped and cut off, answers are lost, late and doubled,
// and a foreign S3 client writes between them. Afterwards the history of the bucket is held
// against what each program was told.
//
//	plan.go      names, lines and events: what workers and checks have in common
//	worker.go    the program that runs on a mount, a process of its own; calls.go has its calls
//	meetings.go  where programs of all hosts come to one new name at one moment
//	faults.go    what happens to the hosts meanwhile
//	foreign.go   the writer that never heard of latchfs
//	run.go       one run from its beginning to its end
//	history.go   what is in the bucket afterwards, and who put it there and when
//	check.go     the promises, one function each; lineage.go, onekind.go,
//	             fresh.go and attributes.go hold the long ones
//
// Contents can be read: a file consists of lines of one size, each of which was written once and
// names its author. With each line a worker reports which lines it had seen in the file before.
// So whoever drops a line of another host has either seen it or lost an update.
package chaos
