package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"sync"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/internal/change"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// changeFlags are those of commands that change objects.
func changeFlags() []cli.Flag {
	return []cli.Flag{
		timeFlag("lock-timeout", "`TIME` to wait for a file that is open for write or locked elsewhere", "twice the table's lease and delay"),
		&cli.BoolFlag{Name: "accept-degraded", Usage: "also on a server that does not judge conditions of DELETE", DisableDefaultText: true},
	}
}

// session begins one in which objects of the place's volume are changed. What is under way is settled
// after a first interrupt, and left after a second one. end has to be called.
func (f *fileCommand) session(ctx context.Context, p place) (s *change.Session, end func(), err error) {
	timeout, err := duration(f.Context, "lock-timeout")
	if err != nil {
		return nil, nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, err
	}
	if err := p.Check(ctx); err != nil {
		return nil, nil, err
	}
	if err := p.ReadBond(ctx); err != nil {
		return nil, nil, err
	}
	s, err = change.Open(ctx, p.Volume, change.Options{
		Host: host, Version: Version, LockTimeout: timeout, Degraded: f.Bool("accept-degraded"),
		Say: func(warn bool, line string) {
			if warn {
				fmt.Fprintln(f.std.Err, "latchfs: "+line)
			}
		},
	})
	if err != nil {
		return nil, nil, err
	}
	again, over := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(again, unix.SIGINT, unix.SIGTERM)
	var watch sync.WaitGroup
	watch.Go(func() {
		for n := range 2 {
			select {
			case <-again:
			case <-over:
				return
			}
			if n == 0 {
				fmt.Fprintln(f.std.Err, "latchfs: interrupted: nothing more is begun, and what was sent is being settled; once more to leave it")
			}
		}
		s.Abandon()
	})
	return s, func() {
		s.Close() // leases that cannot be given back end with the session's silence
		signal.Stop(again)
		close(over)
		watch.Wait()
	}, nil
}

// explainChange says what to do about a change that failed, in words that go after the name that the
// user gives the file. The exit code stays.
func (f *fileCommand) explainChange(ctx context.Context, p place, err error) error {
	held, locked := errors.AsType[*lockmgr.HeldError](err)
	_, full := errors.AsType[*file.NotEmptyError](err)
	say := func(format string, args ...any) error { return &saidError{fmt.Sprintf(format, args...), err} }
	switch {
	case err == nil:
		return nil
	case locked:
		return say("it is open for write or locked at %s: close it there, or wait longer with --lock-timeout", lockmgr.Holder{Host: held.Host, User: held.User, PID: held.PID, Since: held.Since})
	case errors.Is(err, store.ErrUnknownOutcome):
		return say("the bucket has not answered, so that it may have been changed or not; it stays locked until nothing can come of that any more, a minute or so: see latchfs log then, and run it again")
	case errors.Is(err, store.ErrNotPermitted):
		return say("the lock table does not confirm its lock in time, and it was not changed: run it again")
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return say("interrupted, and not changed")
	case errors.Is(err, store.ErrConflict):
		return say("somebody saved or removed it meanwhile, and that stays: see latchfs log, and run it again")
	case errors.Is(err, fs.ErrExist) && f.Bool("r"):
		return say("a file or directory of that name is in the way: move it away, and run it again")
	case errors.Is(err, file.ErrNotDir) && f.Bool("r"):
		return say("what is above it in the path is a file now: move that away, and run it again")
	case errors.Is(err, fs.ErrExist):
		return say("a file or directory of that name is in the way: move it away, or choose another name with restore --to")
	case errors.Is(err, file.ErrNotDir):
		return say("what is above it in the path is a file now: move that away, or choose another name with restore --to")
	case full:
		return say("it is not empty any more, and stays")
	}
	return p.Explain(err)
}

// A saidError is an error in other words.
type saidError struct {
	text  string
	cause error
}

func (e *saidError) Error() string { return e.text }
func (e *saidError) Unwrap() error { return e.cause }

// A tally counts what became of the steps of a command, whose exit code is the highest of theirs.
type tally struct {
	mu           sync.Mutex
	done, failed int
	code         int
}

// add notes one step, and whether it has failed.
func (t *tally) add(err error) (done int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done++
	if err != nil {
		t.failed++
		t.code = max(t.code, exitCode(err))
	}
	return t.done
}

// error is that of a command that has named each failure.
func (t *tally) error() error {
	if t.failed == 0 {
		return nil
	}
	return &reportedError{t.code}
}
