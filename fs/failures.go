package fs

import (
	"log/slog"
	"syscall"

	"github.com/latchfs/latchfs/internal/seldom"
)

// note logs what the mount refused to a program or failed to do for it.
//
// A refusal is of the kind of its operation and errno, of which there are only as many as the
// code has. Of data that could not be reached or saved, and of locks, the key matters, too: each
// key is a kind of its own, as long as they are few.
func (f *front) note(op, key string, n syscall.Errno, w weight, err error) {
	k := seldom.Kind{Op: op, Errno: n}
	switch w {
	case told:
		f.said.Say(k, slog.LevelInfo, "refused", key, "err", err)
	case bad:
		f.said.Say(f.said.Named(k, key), slog.LevelError, "failed", key, "err", err)
	}
}
