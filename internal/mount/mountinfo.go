package mount

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// A mounted is one line of /proc/self/mountinfo. It is read instead of asking the file
// system, which may hang or be dead.
type mounted struct {
	Device     string // "major:minor"
	Mountpoint string
	Type       string // for example fuse.latchfs
	Source     string
}

// ours tells whether it is a mount of this program.
func (m mounted) ours() bool { return m.Type == "fuse.latchfs" }

// mountAt finds the topmost mount at exactly this resolved path.
func mountAt(path string) (m mounted, ok bool, err error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return m, false, fmt.Errorf("reading the mounts: %w", err)
	}
	defer f.Close()
	all, err := parseMountinfo(f)
	if err != nil {
		return m, false, fmt.Errorf("reading the mounts: %w", err)
	}
	for _, c := range all {
		if c.Mountpoint == path {
			m, ok = c, true // a later line covers the earlier one
		}
	}
	return m, ok, nil
}

// parseMountinfo reads the format of proc(5): fields 3 and 5 before the separator "-",
// type and source after it; space, tab, newline and backslash are written in octal.
func parseMountinfo(r io.Reader) ([]mounted, error) {
	var all []mounted
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		head, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(head) < 6 || len(tail) < 2 {
			return nil, fmt.Errorf("unexpected line %q", lines.Text())
		}
		all = append(all, mounted{Device: head[2], Mountpoint: unescapeOctal(head[4]), Type: tail[0], Source: unescapeOctal(tail[1])})
	}
	return all, lines.Err()
}

func unescapeOctal(s string) string {
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
