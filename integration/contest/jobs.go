package contest

import "time"

// A Job is what the programs on the mounts do to the files of a directory of their own, which has the
// job's name.
type Job string

const (
	Count  Job = "count"  // adds a line and saves
	Large  Job = "large"  // the same in a file of Plan.Large bytes
	Chmod  Job = "chmod"  // changes mode and times
	Rename Job = "rename" // gives the file a new name
	Unlink Job = "unlink" // removes the file
)

// A task is a job, and how long the foreign writer waits at most before it writes again: the programs
// on the mounts are to win now and then.
type task struct {
	Job
	pause time.Duration
}

var tasks = []task{
	{Count, 80 * time.Millisecond},
	{Large, 600 * time.Millisecond},
	{Chmod, 30 * time.Millisecond},
	{Rename, 60 * time.Millisecond},
	{Unlink, 30 * time.Millisecond},
}

// mostLines is more than the lines of a file ever take, in bytes.
const mostLines = 1 << 20

// first is the name that the file of each job begins with.
const first = "a"

// saves tells whether the programs on the mounts add lines too.
func (j Job) saves() bool { return j == Count || j == Large }
