package cli

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/latchfs/latchfs/internal/mount"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// usagef is the error of a wrong command line.
func usagef(format string, args ...any) error { return volume.Usagef(format, args...) }

func exitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	if _, ok := errors.AsType[*volume.UsageError](err); ok {
		return ExitUsage
	}
	if _, ok := errors.AsType[*mount.UnsavedError](err); ok {
		return ExitUnsaved
	}
	if reported, ok := errors.AsType[*reportedError](err); ok {
		return reported.code
	}
	if _, ok := errors.AsType[*lockmgr.HeldError](err); ok {
		return ExitLocked
	}
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrPrecondition):
		return ExitChanged
	case errors.Is(err, store.ErrRetained):
		return ExitRetained
	}
	return ExitFailed
}

// oneLine gives the error's text without line breaks: joined errors and some causes
// from the SDK have them.
func oneLine(err error) string {
	var parts []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return visible(strings.Join(parts, "; "))
}

// visible gives a text with an escape in the place of each byte and rune that a terminal may take for
// something else: names and messages of others may have them.
func visible(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if strconv.IsPrint(r) && (r != utf8.RuneError || n > 1) {
			b.WriteString(s[i : i+n])
		} else {
			q := strconv.Quote(s[i : i+n])
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}
