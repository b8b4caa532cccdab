package fs

import (
	"bytes"
	"errors"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// beingKilled tells whether a thread is gone, dies by a signal, or will die by one as soon as
// the system call that it is in returns. A thread that cannot be looked into is not.
func beingKilled(tid uint32) bool {
	if tid == 0 {
		return false // it is in another pid namespace
	}
	dir := filepath.Join("/proc", strconv.FormatUint(uint64(tid), 10))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return isGone(err)
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return isGone(err)
	}
	return dying(status, stat)
}

// isGone tells the errors of a thread that ended before or while we looked.
func isGone(err error) bool {
	return errors.Is(err, iofs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// exiting is the flag in /proc/TID/stat of a thread that has begun to exit
// (linux:include/linux/sched.h, PF_EXITING).
const exiting = 0x4

// Places in what follows the name of the program in /proc/TID/stat, whose first field has
// number 3 in proc(5).
const (
	statFlags    = 9 - 3
	statExitCode = 52 - 3
)

// dying judges the texts of /proc/TID/status and /proc/TID/stat.
//
// A thread that exits keeps its descriptors until the end, and the kernel asks for a FLUSH of
// each. By its exit code, which only those may see who may trace it, or by what is still
// pending for its process we tell whether a signal ended it. What is pending for the thread
// itself tells nothing then: exit_group(2) kills the other threads with SIGKILL, too.
func dying(status, stat []byte) bool {
	flags, code := statFields(stat)
	if code&0x7f != 0 { // as of waitpid(2)
		return true
	}
	pending := signalSet(status, "ShdPnd")
	if flags&exiting == 0 {
		pending |= signalSet(status, "SigPnd")
	}
	return pending&deadly(status) != 0
}

// deadly is the set of the signals that kill the thread. A debugger may keep all but SIGKILL
// away from it.
func deadly(status []byte) uint64 {
	if tracer := statusField(status, "TracerPid"); tracer != "" && tracer != "0" {
		return bit(unix.SIGKILL)
	}
	var harmless uint64 // what nobody dies of
	for _, s := range []unix.Signal{unix.SIGCHLD, unix.SIGCONT, unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGURG, unix.SIGWINCH} {
		harmless |= bit(s)
	}
	return ^(harmless | signalSet(status, "SigBlk") | signalSet(status, "SigIgn") | signalSet(status, "SigCgt"))
}

func bit(s unix.Signal) uint64 { return 1 << (s - 1) }

// signalSet reads a set of signals, one bit for each; the empty set if it is not there.
func signalSet(status []byte, name string) uint64 {
	set, _ := strconv.ParseUint(statusField(status, name), 16, 64)
	return set
}

// statusField returns the value of a line "name:<blanks>value", "" if there is none.
func statusField(status []byte, name string) string {
	for line := range bytes.Lines(status) {
		if k, v, ok := bytes.Cut(line, []byte{':'}); ok && string(k) == name {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}

// statFields returns the flags and the exit code; 0 for what is not there.
func statFields(stat []byte) (flags uint64, code int64) {
	rest := stat[bytes.LastIndexByte(stat, ')')+1:] // the name may have blanks and brackets
	f := bytes.Fields(rest)
	if len(f) <= statExitCode {
		return 0, 0
	}
	flags, _ = strconv.ParseUint(string(f[statFlags]), 10, 64)
	code, _ = strconv.ParseInt(string(f[statExitCode]), 10, 64)
	return flags, code
}
