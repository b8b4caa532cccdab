package procfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// A Stat is what stat says of a process or thread and status does not.
type Stat struct {
	// Terminal is the device number of the controlling terminal; 0 if there is none (any more).
	Terminal int
	// Flags are those of the kernel, such as Exiting.
	Flags uint64
	// ExitCode is as of waitpid(2). It is 0 as long as it runs, and for those who may not trace
	// it.
	ExitCode int
}

// Exiting is the flag of a thread that has begun to exit (linux:include/linux/sched.h,
// PF_EXITING).
const Exiting = 0x4

// Places in what follows the name of the program in stat, whose first field has number 3 in
// proc(5).
const (
	statTerminal = 7 - 3
	statFlags    = 9 - 3
	statExitCode = 52 - 3
)

// Stat reads the stat of the process or thread.
func (p Process) Stat() (Stat, error) {
	b, err := os.ReadFile(filepath.Join(p.dir, "stat"))
	if err != nil {
		return Stat{}, err
	}
	return parseStat(b)
}

func parseStat(b []byte) (s Stat, err error) {
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]) // the name may have blanks and brackets
	if len(f) <= statExitCode {
		return s, fmt.Errorf("unexpected stat %q", b)
	}
	if s.Flags, err = strconv.ParseUint(string(f[statFlags]), 10, 64); err != nil {
		return s, fmt.Errorf("flags in stat: %w", err)
	}
	if s.Terminal, err = strconv.Atoi(string(f[statTerminal])); err != nil {
		return s, fmt.Errorf("terminal in stat: %w", err)
	}
	if s.ExitCode, err = strconv.Atoi(string(f[statExitCode])); err != nil {
		return s, fmt.Errorf("exit code in stat: %w", err)
	}
	return s, nil
}
