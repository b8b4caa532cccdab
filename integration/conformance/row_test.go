package conformance

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"
)

const rowLimit = 60 * time.Second

// A row is one thing that a server must do.
type row struct {
	id, title string
	check     func(context.Context) error
	limit     time.Duration // 0: rowLimit
}

// info is the outcome of an informational row.
type info string

func (i info) Error() string { return string(i) }

func infof(f string, a ...any) error { return info(fmt.Sprintf(f, a...)) }

// An expectation is what a server is known to say in rows where it differs from AWS
// (wrong) or where nothing is decided (open): id to a pattern for the whole outcome.
type expectation struct{ open, wrong map[string]string }

// waits are rows that mostly wait for time to pass: they run beside each other.
var waits = map[string]bool{"b08": true, "s06": true, "v13": true, "w03": true}

// run runs rows as subtests, those that wait at the end.
func run(t *testing.T, rows []row, known expectation) {
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.id] {
			t.Errorf("two rows have the id %s", r.id)
		}
		seen[r.id] = true
		t.Run(r.id, func(t *testing.T) {
			if waits[r.id] {
				t.Parallel()
			}
			limit := r.limit
			if limit == 0 {
				limit = rowLimit
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			judge(t, r, r.check(ctx), known)
		})
	}
}

// judge holds the outcome of a row against what is expected of the server.
func judge(t *testing.T, r row, err error, known expectation) {
	t.Helper()
	t.Log(r.title)
	var said info
	pattern, kind := known.wrong[r.id], "known to be wrong"
	switch {
	case pattern != "":
	case errors.As(err, &said):
		pattern, kind = known.open[r.id], "informational"
		if pattern == "" {
			t.Fatalf("decided row answers with a mere remark: %s", said)
		}
	case known.open[r.id] != "":
		t.Fatalf("informational row gives %v, expected a remark like %q", err, known.open[r.id])
	case err != nil:
		t.Fatal(short(err.Error()))
	default:
		return
	}
	if err == nil {
		t.Fatalf("passes, though it is %s (%s): update the list", kind, pattern)
	}
	if !regexp.MustCompile(pattern).MatchString(err.Error()) {
		t.Fatalf("%s, expected %q, got: %s", kind, pattern, short(err.Error()))
	}
	t.Logf("%s: %s", kind, short(err.Error()))
}
