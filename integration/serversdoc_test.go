package integration

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

// serversDoc is the document that make test-servers writes its table into.
const serversDoc = "../docs/SERVERS.md"

// found is what was found about a server on a day.
type found struct {
	version, day string
	flaws        store.Flaws
	contest      string
}

// row is the server's line in the table.
func (s ratedServer) row(f found) string {
	cells := []string{s.name, f.version, f.day}
	for _, c := range []struct {
		flaw     store.Flaws
		has, not string
	}{
		{store.PutConditions, "ignored", "hold"},
		{store.CopyConditions, "ignored", "hold"},
		{store.PartSource, "ignored", "hold"},
		{store.CompleteConditions, "ignored", "hold"},
		{store.DeleteConditions, "ignored", "hold"},
		{store.AbortHarms, "harms", "harmless"},
		{store.WrongReads, "wrong", "right"},
		{store.WrongHistory, "wrong", "right"},
	} {
		if f.flaws.Has(c.flaw) {
			cells = append(cells, c.has)
		} else {
			cells = append(cells, c.not)
		}
	}
	v := verdictOf(f.flaws)
	return "| " + strings.Join(append(cells, string(v), advice(f.flaws), f.contest), " | ") + " |"
}

// A verdict is what a mount may be on a server (docs/SEMANTICS.md, "Servers").
type verdict string

const (
	readWrite verdict = "read-write"
	degraded  verdict = "read-write if told so"
	readOnly  verdict = "read-only"
)

func verdictOf(f store.Flaws) verdict {
	switch {
	case f.Has(store.PutConditions | store.AbortHarms | store.WrongReads | store.WrongHistory):
		return readOnly
	case f.Has(store.DeleteConditions):
		return degraded
	}
	return readWrite
}

// advice says what whoever uses such a server has to do.
func advice(f store.Flaws) string {
	var all []string
	switch verdictOf(f) {
	case readOnly:
		return "mount with `--read-only`, or use another server"
	case degraded:
		all = append(all, "mount with `--accept-degraded` if no other program writes what is removed or renamed here")
	}
	if f.Has(store.CompleteConditions) {
		all = append(all, "keep files below 5 GiB")
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, "; ")
}

var (
	dayForm     = regexp.MustCompile(`^20\d\d-\d\d-\d\d$`)
	contestForm = regexp.MustCompile(`^(none|[1-9]\d*, \d+ lost)$`)
)

// recording is held by whoever writes serversDoc.
var recording sync.Mutex

// record writes the server's line.
func (s ratedServer) record(f found) error {
	recording.Lock()
	defer recording.Unlock()
	text, err := os.ReadFile(serversDoc)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "| "+s.name+" |") {
			lines[i] = s.row(f)
			return os.WriteFile(serversDoc, []byte(strings.Join(lines, "\n")), 0o644)
		}
	}
	return fmt.Errorf("%s has no row of %s", serversDoc, s.name)
}

// TestServersDocument: the table says of each server, at the version that the tests install, what the
// tests expect of it, and nothing that whoever records it would not write.
func TestServersDocument(t *testing.T) {
	t.Parallel()
	pins := readText(t, "../Makefile") + readText(t, "requirements.txt") + readText(t, "servers/gofakes3/go.mod")
	doc := readText(t, serversDoc)
	for _, s := range ratedServers {
		if s.ignored != 0 || s.name == ownServer {
			continue // nobody else's
		}
		_, line, ok := strings.Cut(doc, "\n| "+s.name+" |")
		line, _, _ = strings.Cut(line, "\n")
		cells := strings.Split(line, " | ")
		if !ok || len(cells) < 3 {
			t.Errorf("%s has no row", s.name)
			continue
		}
		f := found{version: strings.TrimSpace(cells[0]), day: cells[1], flaws: s.flaws, contest: strings.TrimSuffix(cells[len(cells)-1], " |")}
		if want := s.row(f); "| "+s.name+" |"+line != want {
			t.Errorf("the row is\n| %s |%s\nwant\n%s", s.name, line, want)
		}
		if day, err := time.Parse(time.DateOnly, f.day); !dayForm.MatchString(f.day) || err != nil || day.After(time.Now().Add(24*time.Hour)) {
			t.Errorf("%s was seen on %q", s.name, f.day)
		}
		if !contestForm.MatchString(f.contest) {
			t.Errorf("the contest on %s came to %q", s.name, f.contest)
		}
		if !strings.Contains(pins, "@"+f.version+"\n") && !strings.Contains(pins, "=="+f.version+"\n") && !strings.Contains(pins, " "+f.version+"\n") {
			t.Errorf("%s %s is not what the tests install: run make test-servers", s.name, f.version)
		}
	}
}
