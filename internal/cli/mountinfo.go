package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
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

// resolveMountpoint makes the path absolute and free of symbolic links without asking
// the file system that may be mounted there: a stopped or dead daemon would not answer.
func resolveMountpoint(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for range 40 { // as many links as the kernel follows
		parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
		if err != nil {
			return "", err
		}
		abs = filepath.Join(parent, filepath.Base(abs))
		if _, ok, err := mountAt(abs); err != nil || ok {
			return abs, err
		}
		target, err := os.Readlink(abs)
		if err != nil {
			return abs, nil // no link; whether it exists is for the caller to say
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(parent, target)
		}
		abs = target
	}
	return "", &os.PathError{Op: "resolve", Path: path, Err: unix.ELOOP}
}

// notConnected tells whether the error is what a FUSE mount without a daemon answers.
func notConnected(err error) bool { return errors.Is(err, unix.ENOTCONN) }
