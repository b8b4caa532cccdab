package procfs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Mount is one line of mountinfo.
type Mount struct {
	ID         string // as mnt_id in fdinfo; a bind mount has one of its own
	Device     string // "major:minor"
	Root       string // the directory of the file system that is seen here; "/" unless a part of it is bound
	Mountpoint string
	Type       string // for example fuse.latchfs
	Source     string
	Options    string // of the file system, with commas between
}

// User is the user who mounted a FUSE file system; ok is false if that is not known.
func (m Mount) User() (uid int, ok bool) {
	for option := range strings.SplitSeq(m.Options, ",") {
		if id, found := strings.CutPrefix(option, "user_id="); found {
			uid, err := strconv.Atoi(id)
			return uid, err == nil
		}
	}
	return 0, false
}

// Mounts lists the mounts that the process sees; a later one covers an earlier one at the
// same place.
func (p Process) Mounts() ([]Mount, error) {
	f, err := os.Open(filepath.Join(p.dir, "mountinfo"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseMounts(f)
}

// MountNamespace gives the name of the mount namespace that the process is in.
func (p Process) MountNamespace() (string, error) { return os.Readlink(filepath.Join(p.dir, "ns/mnt")) }

// MountAt finds the topmost mount at exactly this path, which must be absolute and free of
// symbolic links.
func (p Process) MountAt(path string) (m Mount, ok bool, err error) {
	all, err := p.Mounts()
	if err != nil {
		return m, false, fmt.Errorf("reading the mounts: %w", err)
	}
	for _, c := range all {
		if c.Mountpoint == path {
			m, ok = c, true
		}
	}
	return m, ok, nil
}

// parseMounts reads the format of proc(5): id, device, root and mount point before the separator
// "-", type, source and the file system's options after it.
func parseMounts(r io.Reader) ([]Mount, error) {
	var all []Mount
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		head, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(head) < 6 || len(tail) < 2 {
			return nil, fmt.Errorf("unexpected line %q", lines.Text())
		}
		m := Mount{ID: head[0], Device: head[2], Root: unescape(head[3]), Mountpoint: unescape(head[4]), Type: tail[0], Source: unescape(tail[1])}
		if len(tail) > 2 {
			m.Options = tail[2]
		}
		all = append(all, m)
	}
	return all, lines.Err()
}

// unescape undoes how mountinfo writes space, tab, newline and backslash: in octal.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
