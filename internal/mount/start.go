package mount

import (
	"context"
	"errors"
	"log/slog"
	"os"
)

var errInterrupted = errors.New("interrupted before it was mounted")

// Start mounts. The first of the signals ends it, with nothing left of it, until the
// kernel has the mount; what comes later is for Serve, which has to be called then, or
// Abandon. It fails with one line that says what to do, with a volume.UsageError if the
// options are wrong in themselves, and with an UnsavedError if programs wrote to what then
// failed.
func Start(ctx context.Context, o Options, signals chan os.Signal, log *slog.Logger) (*Mount, error) {
	return untilSignal(ctx, signals, func(ctx context.Context) (*Mount, error) {
		return build(ctx, o, signals, log)
	})
}

// untilSignal runs start under a context that the first signal ends. If it is mounted all
// the same, the signal is for whoever serves the mount: a program may have written to it.
func untilSignal(ctx context.Context, signals chan os.Signal, start func(context.Context) (*Mount, error)) (*Mount, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type result struct {
		m   *Mount
		err error
	}
	done := make(chan result, 1)
	go func() {
		m, err := start(ctx)
		done <- result{m, err}
	}()
	select {
	case r := <-done:
		return r.m, r.err
	case s := <-signals:
		cancel(errInterrupted)
		r := <-done
		if _, unsaved := errors.AsType[*UnsavedError](r.err); unsaved {
			return nil, r.err
		}
		if r.err != nil {
			return nil, errInterrupted
		}
		select {
		case signals <- s:
		default: // there are more already
		}
		return r.m, nil
	}
}
