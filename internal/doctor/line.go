package doctor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/latchfs/latchfs/store"
)

// A Status is the judgement of a check.
type Status string

const (
	OK   Status = "ok"
	Warn Status = "warn" // a mount works, but not as one may expect
	Fail Status = "fail" // a mount does not work, or must not be made
)

// A Line is the result of one check. Its JSON form is an interface: docs/DOCTOR.md.
type Line struct {
	Check string `json:"check"`
	// Action is the permission that a line is about, as policies have it.
	Action string `json:"action,omitempty"`
	Status Status `json:"status"`
	// Found is what was seen, Advice what to do about it, "" if it is fine.
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
	// Count is how many keys the check found something about, and Keys the first of them.
	Count int      `json:"count,omitempty"`
	Keys  []string `json:"keys,omitempty"`
}

// String gives status, check, what was found and what to do, in one line and in columns.
func (l Line) String() string {
	what := l.Check
	if l.Action != "" {
		what = l.Action
	}
	s := fmt.Sprintf("%-6s  %-35s  %s", l.Status, what, l.Found)
	for i, k := range l.Keys {
		s += [...]string{": ", ", "}[min(i, 1)] + strconv.Quote(k)
	}
	if l.Count > len(l.Keys) && len(l.Keys) > 0 {
		s += ", ..."
	}
	if l.Advice != "" {
		s += "; " + l.Advice
	}
	return s
}

// Header names the columns of String.
func Header() string { return Line{Status: "STATUS", Check: "CHECK", Found: "FOUND"}.String() }

func ok(check, format string, args ...any) Line {
	return Line{Check: check, Status: OK, Found: fmt.Sprintf(format, args...)}
}

// undecided is the line of a check that could not be made. What is missing may be anything: that
// is no "ok".
func undecided(check string, err error) Line {
	l := Line{Check: check, Status: Fail, Found: "not known: " + oneLine(err)}
	switch {
	case errors.Is(err, store.ErrNotImplemented):
		l.Status, l.Found, l.Advice = Warn, "not known: the server does not implement it", "nothing can be done about it here"
	case errors.Is(err, store.ErrAccessDenied):
		l.Advice = "give these credentials the right to ask for it"
	case errors.Is(err, store.ErrUnavailable):
		l.Advice = "run doctor again"
	}
	return l
}

// oneLine gives an error's text without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
