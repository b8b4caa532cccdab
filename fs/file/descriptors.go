package file

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Caller is the process behind a request, and how it sees the file.
type Caller struct {
	// PID is that of the request header: the id of a thread; 0 when the process is in
	// another pid namespace or the kernel itself asks.
	PID uint32
	// Dev is the device number of the mount, as st_dev has it.
	Dev uint64
	// Ino is the inode number of the file, as st_ino has it.
	Ino uint64
}

// procs looks into the process file system.
type procs struct{ root string }

// process returns the id of the process that thread tid belongs to, 0 if it is not known.
// Of a thread that is gone it is the thread's own: nobody has descriptors under it.
func (p procs) process(tid uint32) uint32 {
	if tid == 0 {
		return 0
	}
	b, err := os.ReadFile(p.path(tid, "status"))
	if gone(err) {
		return tid
	}
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(field(b, "Tgid"), 10, 32)
	return uint32(n)
}

// holds tells whether the process still has a descriptor of the file with write access.
// The descriptor whose close is being asked about is out of the process's table by then,
// and at exit the table is empty or gone. known is false if it could not be found out.
//
// stat of /proc/PID/fd/N would say the same and ask ourselves for the attributes: a
// deadlock. fdinfo does not.
func (p procs) holds(pid uint32, c Caller) (held, known bool) {
	if pid == 0 {
		return false, false
	}
	dir := p.path(pid, "fdinfo")
	names, err := readNames(dir)
	if gone(err) {
		return false, true
	}
	if err != nil {
		return false, false
	}
	var mounts map[string]bool // ids under which the process sees the mount
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if gone(err) {
			continue
		}
		if err != nil {
			return false, false
		}
		ino := field(b, "ino")
		if ino == "" {
			return false, false // before Linux 5.14
		}
		if ino != strconv.FormatUint(c.Ino, 10) || !writable(field(b, "flags")) {
			continue
		}
		if mounts == nil {
			if mounts, err = p.mounts(pid, c.Dev); err != nil {
				return false, false
			}
		}
		if mounts[field(b, "mnt_id")] {
			return true, true
		}
	}
	return false, true
}

// mounts returns the ids of the mounts of device dev that the process sees; a bind mount
// has an id of its own.
func (p procs) mounts(pid uint32, dev uint64) (map[string]bool, error) {
	b, err := os.ReadFile(p.path(pid, "mountinfo"))
	if err != nil {
		return nil, err
	}
	want := strconv.FormatUint(uint64(unix.Major(dev)), 10) + ":" + strconv.FormatUint(uint64(unix.Minor(dev)), 10)
	ids := make(map[string]bool)
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		f := strings.Fields(sc.Text()) // id, parent, major:minor, ... (proc(5))
		if len(f) > 2 && f[2] == want {
			ids[f[0]] = true
		}
	}
	return ids, sc.Err()
}

func (p procs) path(pid uint32, name string) string {
	return filepath.Join(p.root, strconv.FormatUint(uint64(pid), 10), name)
}

// readNames reads the names of a directory of /proc; the order does not matter.
func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// gone tells the errors of a process or descriptor that ended while we looked.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// field returns the value of a line "name:<blanks>value".
func field(b []byte, name string) string {
	for line := range bytes.Lines(b) {
		if k, v, ok := bytes.Cut(line, []byte{':'}); ok && string(k) == name {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}

// writable tells whether the flags of fdinfo, which are octal, allow writing. O_PATH
// descriptors have no access at all.
func writable(flags string) bool {
	n, err := strconv.ParseUint(flags, 8, 32)
	if err != nil {
		return true // rather deferred to RELEASE than published half-written
	}
	acc := n & unix.O_ACCMODE
	return n&unix.O_PATH == 0 && (acc == unix.O_WRONLY || acc == unix.O_RDWR)
}
