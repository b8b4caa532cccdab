package cli

import (
	"errors"
	"strings"

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
	return strings.Join(parts, "; ")
}
