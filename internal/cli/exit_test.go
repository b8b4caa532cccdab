package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/latchfs/latchfs/internal/mount"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{
		ExitOK: nil, ExitFailed: errors.New("x"), ExitUsage: fmt.Errorf("more: %w", usagef("x")),
		ExitUnsaved: fmt.Errorf("more: %w", &mount.UnsavedError{}), 7: &reportedError{7},
		ExitLocked: fmt.Errorf("more: %w", &lockmgr.HeldError{}), ExitChanged: fmt.Errorf("more: %w", store.ErrConflict),
		ExitRetained: fmt.Errorf("more: %w", store.ErrRetained),
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: exit code %d, want %d", err, got, want)
		}
	}
}

func TestOneLine(t *testing.T) {
	err := errors.Join(errors.New("first\n\tcause"), errors.New("second\n"))
	if got, want := oneLine(err), "first; cause; second"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What others have named cannot write to the terminal, or a line of its own.
func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain, grün, \"quoted\" and a\\b": "plain, grün, \"quoted\" and a\\b",
		"\x1b[31mred\x1b[0m\r\n":           `\x1b[31mred\x1b[0m\r\n`,
		"bad \xff\ufffd\u202e":             `bad \xff` + "\ufffd" + `\u202e`,
	} {
		if got := visible(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := oneLine(errors.New("a\x1b\nb")); got != `a\x1b; b` {
		t.Errorf("one line: %s", got)
	}
}
