package chaos

import (
	"fmt"
	"hash/crc32"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Plan is what a run does.
type Plan struct {
	Seed    uint64
	For     time.Duration // that the workers work
	Hosts   []string
	Workers int // on each host
}

// Names are the names that everybody works on. Those that end in "a" are written by the foreign
// client too, those that end in "c" may also be directories.
var Names = []string{"d1/a", "d1/b", "d1/c", "d2/a", "d2/b", "d2/c"}

func foreignWrites(name string) bool { return strings.HasSuffix(name, "a") }
func mayBeDir(name string) bool      { return strings.HasSuffix(name, "c") }

// An Event is one call that a worker made, and what it was told.
type Event struct {
	Host   string
	Worker int
	Op     string
	Name   string
	To     string `json:",omitempty"` // new name of a rename
	Handle int    `json:",omitempty"` // number of the open file of the worker; 0: none
	How    string `json:",omitempty"` // kind of open

	Token string   `json:",omitempty"` // name of the line that was written
	Seen  []string `json:",omitempty"` // lines that the handle had shown before that
	Lines []string `json:",omitempty"` // lines that an open or read showed
	Text  string   `json:",omitempty"` // what an open or read showed, where it is not lines
	Mode  uint32   `json:",omitempty"` // that a chmod or create set

	// Other: the worker had another descriptor of the file, so that a close saves nothing.
	Other bool `json:",omitempty"`
	Errno syscall.Errno
	// From and Till are nanoseconds of the machine's monotonic clock.
	From, Till int64
}

// Told tells whether the call was answered without an error.
func (e Event) Told() bool { return e.Errno == 0 }

// lineSize is the size of every line, its end included.
const lineSize = 56

// line makes the line with a name. last is the last line that its author saw in the file, which
// is for people who read the history. The checksum at its end tells a mixture of two.
func line(token, last string) string {
	text := fmt.Sprintf("%-*s", lineSize-10, fmt.Sprintf("%s after %s", token, last))
	return fmt.Sprintf("%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// lines gives the names of the lines of a file. It fails on what nobody wrote as a whole.
func lines(content string) ([]string, error) {
	tokens := []string{}
	if len(content)%lineSize != 0 {
		return nil, fmt.Errorf("%d bytes are no whole number of lines", len(content))
	}
	for ; len(content) > 0; content = content[lineSize:] {
		text := content[:lineSize]
		if strings.Trim(text, "\x00") == "" {
			continue // a hole: programs of one host may cut a file under each other
		}
		token, rest, _ := strings.Cut(text, " after ")
		last, _, _ := strings.Cut(rest, " ")
		if line(token, last) != text {
			return nil, fmt.Errorf("line %q", text)
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

// author gives the host that wrote a line.
func author(token string) string {
	host, _, _ := strings.Cut(token, ".")
	return host
}

// foreigner is the author of what the foreign client writes.
const foreigner = "foreign"

// clock is the time by which processes of one machine can be compared.
func clock() int64 {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}
