package procfs

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// Fields are lines "name:<blanks>value", as in status and fdinfo.
type Fields []byte

// Get gives the value of the field, "" if there is none.
func (f Fields) Get(name string) string {
	for line := range bytes.Lines(f) {
		if k, v, ok := bytes.Cut(line, []byte{':'}); ok && string(k) == name {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}

// Signals gives a field that is a set of signals, such as SigPnd; the empty set if it is not
// there.
func (f Fields) Signals(name string) SignalSet {
	set, _ := strconv.ParseUint(f.Get(name), 16, 64)
	return SignalSet(set)
}

// Status reads the status of the process or thread.
func (p Process) Status() (Fields, error) {
	b, err := os.ReadFile(filepath.Join(p.dir, "status"))
	return b, err
}

// Descriptors lists the numbers of the process's open descriptors, in no order.
func (p Process) Descriptors() ([]string, error) { return names(filepath.Join(p.dir, "fdinfo")) }

// Descriptor reads what the kernel says of one descriptor: pos, flags (octal), mnt_id and,
// since Linux 5.14, ino.
//
// A stat of the link /proc/PID/fd/N would say the same and ask the file system for it: a
// deadlock where that is the one who asks.
func (p Process) Descriptor(number string) (Fields, error) {
	b, err := os.ReadFile(filepath.Join(p.dir, "fdinfo", number))
	return b, err
}
