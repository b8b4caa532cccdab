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

// failures is the log of what the mount refused to programs, failed to do for them, or let them wait
// for. Any user can have a call refused a hundred thousand times a second, and must not fill the
// disk of the log with that.
//
// A refusal is of the kind of its operation and errno, of which there are only as many as the
// code has. Of data that could not be reached or saved, and of locks, the key matters, too: each
// key is a kind of its own, as long as they are few.
type failures struct {
	log *slog.Logger

	mu    sync.Mutex // a leaf
	kinds map[failureKind]*failureCount
}

type failureKind struct {
	op    string
	errno syscall.Errno // 0: it is no failure yet
	key   string        // "" where the keys are not told apart
}

// A failureCount is what came again since a kind was logged last.
type failureCount struct {
	level   slog.Level
	msg     string
	again   int
	lastKey string
	last    []any // attributes of the last one
	timer   *time.Timer
}

func newFailures(log *slog.Logger) *failures {
	return &failures{log: log, kinds: make(map[failureKind]*failureCount)}
}

// note logs a failure, or counts it if one of its kind was logged within failuresEvery.
func (l *failures) note(op, key string, n syscall.Errno, w weight, err error) {
	k := failureKind{op: op, errno: n}
	switch w {
	case told:
		l.once(k, slog.LevelInfo, "refused", key, "err", err)
	case bad:
		l.once(l.named(k, key), slog.LevelError, "failed", key, "err", err)
	}
}

// once logs what happened to a key, or counts it if one of its kind was logged within
// failuresEvery. The level debug has each.
func (l *failures) once(k failureKind, level slog.Level, msg, key string, args ...any) {
	if l.counted(k, level, msg, key, args) {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, msg, append(k.attrs("key", key), args...)...)
}

// named is the kind for a key of its own, if there is room for it.
func (l *failures) named(k failureKind, key string) failureKind {
	n := k
	n.key = key
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds[n] != nil || len(l.kinds) < maxFailedKeys {
		return n
	}
	return k
}

// counted counts what is of a kind that is known, and makes the kind known if it is not.
func (l *failures) counted(k failureKind, level slog.Level, msg, key string, args []any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.kinds[k]
	if c == nil {
		l.kinds[k] = &failureCount{level: level, msg: msg, timer: time.AfterFunc(failuresEvery, func() { l.tell(k) })}
		return false
	}
	c.again++
	c.lastKey, c.last = key, args
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
		l.log.Log(context.Background(), c.level, c.msg+" again", append(k.attrs("last", c.lastKey, "times", c.again), c.last...)...)
	}
}

func (k failureKind) attrs(more ...any) []any {
	args := []any{"op", k.op}
	if k.errno != 0 {
		args = append(args, "errno", unix.ErrnoName(k.errno))
	}
	return append(args, more...)
}
