package fs

import (
	"context"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// failuresEvery is the time in which one kind of failure is logged once. What comes again is
	// counted and told when it ends.
	failuresEvery = time.Minute
	// maxFailedKeys is how many kinds are told apart by their keys, too.
	maxFailedKeys = 64
)

// failures is the log of what the mount refused to programs, or failed to do for them. Any user
// can have a call refused a hundred thousand times a second, and must not fill the disk of the
// log with that.
//
// A refusal is of the kind of its operation and errno, of which there are only as many as the
// code has. Of data that could not be reached or saved the key matters, too: each key is a kind
// of its own, as long as they are few.
type failures struct {
	log *slog.Logger

	mu    sync.Mutex // a leaf
	kinds map[failureKind]*failureCount
}

type failureKind struct {
	op    string
	errno syscall.Errno
	key   string // "" where the keys are not told apart
}

// A failureCount is what came again since a kind was logged last.
type failureCount struct {
	weight  weight
	again   int
	lastKey string
	lastErr error
	timer   *time.Timer
}

func newFailures(log *slog.Logger) *failures {
	return &failures{log: log, kinds: make(map[failureKind]*failureCount)}
}

// note logs a failure, or counts it if one of its kind was logged within failuresEvery. The level
// debug has each.
func (l *failures) note(op, key string, n syscall.Errno, w weight, err error) {
	if w == silent {
		return
	}
	level := w.level()
	if l.counted(op, key, n, w, err) {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, w.verb(), "op", op, "key", key, "errno", unix.ErrnoName(n), "err", err)
}

// counted counts the failure if one of its kind is known, and makes its kind known if not.
func (l *failures) counted(op, key string, n syscall.Errno, w weight, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := failureKind{op: op, errno: n}
	if w == bad {
		named := failureKind{op, n, key}
		if l.kinds[named] != nil || len(l.kinds) < maxFailedKeys {
			k = named
		}
	}
	c := l.kinds[k]
	if c == nil {
		l.kinds[k] = &failureCount{weight: w, timer: time.AfterFunc(failuresEvery, func() { l.tell(k) })}
		return false
	}
	c.again++
	c.lastKey, c.lastErr = key, err
	return true
}

// tell ends the time of a kind: what was counted is logged, which begins another one.
func (l *failures) tell(k failureKind) {
	l.mu.Lock()
	c := l.kinds[k]
	if c == nil {
		l.mu.Unlock()
		return
	}
	told := *c
	if c.again == 0 {
		delete(l.kinds, k)
	} else {
		c.again = 0
		c.timer.Reset(failuresEvery)
	}
	l.mu.Unlock()
	l.again(k, told)
}

// flush tells all that was counted, and begins anew.
func (l *failures) flush() {
	l.mu.Lock()
	all := l.kinds
	l.kinds = make(map[failureKind]*failureCount)
	l.mu.Unlock()
	for k, c := range all {
		c.timer.Stop()
		l.again(k, *c)
	}
}

func (l *failures) again(k failureKind, c failureCount) {
	if c.again > 0 {
		l.log.Log(context.Background(), c.weight.level(), c.weight.verb()+" again", "op", k.op, "errno", unix.ErrnoName(k.errno),
			"times", c.again, "last", c.lastKey, "err", c.lastErr)
	}
}

func (w weight) level() slog.Level {
	if w == bad {
		return slog.LevelError
	}
	return slog.LevelInfo
}

func (w weight) verb() string {
	if w == bad {
		return "failed"
	}
	return "refused"
}
