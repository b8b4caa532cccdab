package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// printTable prints rows under one header line; without rows it prints nothing. What a name holds that
// is not to reach a terminal is quoted.
func printTable(w io.Writer, header []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(header, "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

// printJSON prints one object a line.
func printJSON[T any](w io.Writer, lines []T) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, l := range lines {
		if err := out.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// utc writes a time as all output has it: whole seconds in UTC.
func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// printable is a name in one line without control characters.
func printable(name string) string {
	for _, r := range name {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return strconv.Quote(name)
		}
	}
	return name
}

// progressAfter is how long a command works in silence.
const progressAfter = 2 * time.Second

// A progress tells on a terminal how far a command is that takes long.
type progress struct {
	w     io.Writer // nil: there is no terminal
	what  string
	began time.Time

	mu    sync.Mutex // guards what follows, and the order of lines
	drawn time.Time
}

// newProgress begins one; what says what is counted.
func newProgress(std Stdio, what string) *progress {
	p := &progress{what: what, began: time.Now()}
	if f, ok := std.Err.(*os.File); ok && isTerminal(f) {
		p.w = f
	}
	return p
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// tick tells that so many of n are done.
func (p *progress) tick(done, n int) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w == nil || now.Sub(p.began) < progressAfter || now.Sub(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = now
	const width = 30
	full := width * done / max(n, 1)
	fmt.Fprintf(p.w, "\r[%s%s] %d of %d %s\x1b[K", strings.Repeat("=", full), strings.Repeat(" ", width-full), done, n, p.what)
}

// end clears the line.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.drawn.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = time.Time{}
	}
}
