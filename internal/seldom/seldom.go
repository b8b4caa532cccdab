// Package seldom logs what may come again and again.
//
// Any user can have a call refused, or a file not saved, a hundred thousand times a minute, and must
// not fill the disk of the log with that. So each kind of line is logged once a minute; what comes
// again is counted and told when the minute ends.
package seldom

import (
	"context"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Every is the time in which one kind is logged once.
	Every = time.Minute
	// MaxKeys is how many kinds are told apart by their keys, too.
	MaxKeys = 64
)

// A Log logs each kind of line once in a while. It is safe for concurrent use.
type Log struct {
	log *slog.Logger

	mu    sync.Mutex // a leaf
	kinds map[Kind]*counted
}

// A Kind is what is logged once. There must be only as many as the code has, but for the keys.
type Kind struct {
	Op    string
	Errno syscall.Errno // 0: it is no failure yet
	Key   string        // "" where the keys are not told apart
}

// counted is what came again since a kind was logged last.
type counted struct {
	level   slog.Level
	msg     string
	again   int
	lastKey string
	last    []any // attributes of the last one
	timer   *time.Timer
}

// New returns a Log that writes to log.
func New(log *slog.Logger) *Log { return &Log{log: log, kinds: make(map[Kind]*counted)} }

// Say logs what happened to a key, or counts it if one of its kind was logged within Every. The level
// debug has each.
func (l *Log) Say(k Kind, level slog.Level, msg, key string, args ...any) {
	if l.count(k, level, msg, key, args) {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, msg, append(k.attrs("key", key), args...)...)
}

// Named is the kind for a key of its own, as long as there are at most MaxKeys.
func (l *Log) Named(k Kind, key string) Kind {
	n := k
	n.Key = key
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds[n] != nil || len(l.kinds) < MaxKeys {
		return n
	}
	return k
}

// count counts what is of a kind that is known, and makes the kind known if it is not.
func (l *Log) count(k Kind, level slog.Level, msg, key string, args []any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.kinds[k]
	if c == nil {
		l.kinds[k] = &counted{level: level, msg: msg, timer: time.AfterFunc(Every, func() { l.tell(k) })}
		return false
	}
	c.again++
	c.lastKey, c.last = key, args
	return true
}

// tell ends the time of a kind: what was counted is logged, which begins another one.
func (l *Log) tell(k Kind) {
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
		c.timer.Reset(Every)
	}
	l.mu.Unlock()
	l.again(k, told)
}

// Tell logs all that was counted, and begins anew.
func (l *Log) Tell() {
	l.mu.Lock()
	all := l.kinds
	l.kinds = make(map[Kind]*counted)
	l.mu.Unlock()
	for k, c := range all {
		c.timer.Stop()
		l.again(k, *c)
	}
}

func (l *Log) again(k Kind, c counted) {
	if c.again > 0 {
		l.log.Log(context.Background(), c.level, c.msg+" again", append(k.attrs("last", c.lastKey, "times", c.again), c.last...)...)
	}
}

func (k Kind) attrs(more ...any) []any {
	args := []any{"op", k.Op}
	if k.Errno != 0 {
		args = append(args, "errno", unix.ErrnoName(k.Errno))
	}
	return append(args, more...)
}
