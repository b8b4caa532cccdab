package fs

import (
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/procfs"
)

// beingKilled tells whether a thread is gone, dies by a signal, or will die by one as soon as
// the system call that it is in returns. A thread that cannot be looked into is not.
func beingKilled(tid uint32) bool {
	if tid == 0 {
		return false // it is in another pid namespace
	}
	thread := procfs.Default.Process(int(tid))
	status, err := thread.Status()
	if err != nil {
		return thread.Gone(err)
	}
	stat, err := thread.Stat()
	if err != nil {
		return thread.Gone(err)
	}
	return dying(status, stat)
}

// dying judges what the kernel says of a thread.
//
// A thread that exits keeps its descriptors until the end, and the kernel asks for a FLUSH of
// each. Its exit code, which is shown only to those who may trace it, or what is still pending
// for its process tells whether a signal ended it. What is pending for the thread itself tells
// nothing then: exit_group(2) kills the other threads with SIGKILL, too.
func dying(status procfs.Fields, stat procfs.Stat) bool {
	if stat.ExitCode&0x7f != 0 { // as of waitpid(2)
		return true
	}
	pending := status.Signals("ShdPnd")
	if stat.Flags&procfs.Exiting == 0 {
		pending |= status.Signals("SigPnd")
	}
	return pending&deadly(status) != 0
}

// harmless are the signals that nobody dies of.
var harmless = procfs.Signals(unix.SIGCHLD, unix.SIGCONT, unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGURG, unix.SIGWINCH)

// deadly is the set of the signals that kill the thread. A debugger may keep all but SIGKILL
// away from it.
func deadly(status procfs.Fields) procfs.SignalSet {
	if tracer := status.Get("TracerPid"); tracer != "" && tracer != "0" {
		return procfs.Signals(unix.SIGKILL)
	}
	return ^(harmless | status.Signals("SigBlk") | status.Signals("SigIgn") | status.Signals("SigCgt"))
}
