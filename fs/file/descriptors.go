package file

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/procfs"
)

// A Caller is the process that sent a request, and how it sees the file.
type Caller struct {
	// PID is that of the request header: the id of a thread; 0 when the process is in
	// another pid namespace or the kernel itself asks.
	PID uint32
	// Dev is the device number of the mount, as st_dev has it.
	Dev uint64
	// Ino is the inode number of the file, as st_ino has it.
	Ino uint64
}

// processOf returns the id of the process that thread tid belongs to, 0 if it is not known.
// If the thread is gone it is the thread's own: nobody has descriptors under it.
func (t *Table) processOf(tid uint32) uint32 {
	if tid == 0 {
		return 0
	}
	thread := t.o.Proc.Process(int(tid))
	status, err := thread.Status()
	if thread.Gone(err) {
		return tid
	}
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(status.Get("Tgid"), 10, 32)
	return uint32(n)
}

// writes tells whether the process still has a descriptor of the file with write access.
// The descriptor whose close is being asked about is out of the process's table by then,
// and at exit the table is empty or gone. known is false if it could not be found out.
func (t *Table) writes(pid uint32, c Caller) (held, known bool) {
	if pid == 0 {
		return false, false
	}
	p := t.o.Proc.Process(int(pid))
	numbers, err := p.Descriptors()
	if p.Gone(err) {
		return false, true
	}
	if err != nil {
		return false, false
	}
	var mounts map[string]bool // ids under which the process sees the mount
	for _, n := range numbers {
		fd, err := p.Descriptor(n)
		if procfs.Gone(err) {
			continue
		}
		if err != nil {
			return false, false
		}
		ino := fd.Get("ino")
		if ino == "" {
			return false, false // before Linux 5.14
		}
		if ino != strconv.FormatUint(c.Ino, 10) || !writable(fd.Get("flags")) {
			continue
		}
		if mounts == nil {
			if mounts, err = mountIDs(p, c.Dev); err != nil {
				return false, false
			}
		}
		if mounts[fd.Get("mnt_id")] {
			return true, true
		}
	}
	return false, true
}

// mountIDs returns the ids of the mounts of device dev that the process sees; a bind mount
// has an id of its own.
func mountIDs(p procfs.Process, dev uint64) (map[string]bool, error) {
	all, err := p.Mounts()
	if err != nil {
		return nil, err
	}
	device := fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev))
	ids := make(map[string]bool)
	for _, m := range all {
		if m.Device == device {
			ids[m.ID] = true
		}
	}
	return ids, nil
}

// writable tells whether the flags of fdinfo, which are octal, allow writing. O_PATH
// descriptors have no access at all.
func writable(flags string) bool {
	n, err := strconv.ParseUint(flags, 8, 32)
	if err != nil {
		return true // RELEASE commits what is deferred; nothing is published half-written
	}
	acc := n & unix.O_ACCMODE
	return n&unix.O_PATH == 0 && (acc == unix.O_WRONLY || acc == unix.O_RDWR)
}
