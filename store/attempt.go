package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
)

// An attempt is one request on the wire.
type attempt struct {
	op, key string
	// permit is asked before anything is sent; nil for requests that change nothing.
	permit Permit
	// limit is the time without progress that ends it.
	limit time.Duration
	// answer, if set, is the same once the last byte of the body was handed out.
	answer time.Duration
}

// errStalled is the cause of an attempt that was ended for lack of progress.
var errStalled = errors.New("no progress")

// try makes one attempt: allowed, counted, watched, logged. send reports progress to the watch
// that it is given. The error is an *AttemptError.
func try[T any](ctx context.Context, c *Client, a attempt, send func(ctx context.Context, w *watch) (T, error)) (T, error) {
	var none T
	if err := a.allowed(ctx); err != nil {
		return none, err
	}
	ctx, w := startWatch(ctx, a.limit)
	defer w.end()
	c.requests.Add(a.op)
	began := time.Now()
	v, err := send(ctx, w)
	err = a.explain(ctx, err)
	c.logAttempt(ctx, a, began, err)
	if err != nil {
		return none, err
	}
	return v, nil
}

// allowed fails, and then nothing is sent, if the permit is not valid or ctx has ended.
func (a attempt) allowed(ctx context.Context) error {
	if ctx.Err() != nil {
		return a.failed(Unsent, context.Cause(ctx))
	}
	if a.permit == nil {
		return nil
	}
	if err := a.permit.Check(); err != nil {
		return a.failed(Unsent, notPermitted(err))
	}
	return nil
}

func (a attempt) failed(f Fate, err error) error {
	return &AttemptError{Op: a.op, Key: a.key, Fate: f, Err: err}
}

// explain makes an *AttemptError of every error, and tells a stalled attempt from one that
// the caller has cancelled.
func (a attempt) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	known, ok := errors.AsType[*AttemptError](err)
	if !ok {
		return a.failed(Unknown, err) // what is not said to be harmless is not
	}
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) && !errors.Is(err, ErrNotPermitted) && known.Fate != Refused {
		return &AttemptError{Op: a.op, Key: a.key, Fate: known.Fate, Code: known.Code, Err: cause}
	}
	return err
}

func (c *Client) logAttempt(ctx context.Context, a attempt, began time.Time, err error) {
	fate := "ok"
	if err != nil {
		fate = fateOf(err).String()
	}
	c.log.DebugContext(ctx, "request", "op", a.op, "key", a.key, "took", time.Since(began), "fate", fate, "err", err)
}

// fateOf gives the fate of an attempt that failed.
func fateOf(err error) Fate {
	if a, ok := errors.AsType[*AttemptError](err); ok {
		return a.Fate
	}
	return Unknown
}

// codeOf gives the service's error code.
func codeOf(err error) string {
	if a, ok := errors.AsType[*AttemptError](err); ok {
		return a.Code
	}
	return ""
}

func notPermitted(err error) error {
	if errors.Is(err, ErrNotPermitted) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotPermitted, err)
}

// unavailable is the error of a request that had no effect until ctx, or the patience of
// its caller, ended.
func unavailable(ctx context.Context, last error) error {
	if ctx.Err() != nil && !errors.Is(last, context.Cause(ctx)) {
		return fmt.Errorf("%w: %w: %w", ErrUnavailable, context.Cause(ctx), last)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, last)
}

// A watch ends an attempt that makes no progress.
type watch struct {
	limit  atomic.Int64 // as a time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

func startWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel}
	w.limit.Store(int64(limit))
	w.timer = time.AfterFunc(limit, func() { cancel(fmt.Errorf("%w for %s", errStalled, time.Duration(w.limit.Load()))) })
	return ctx, w
}

// progress lets the limit run anew.
func (w *watch) progress() { w.timer.Reset(time.Duration(w.limit.Load())) }

// extend makes the limit at least d, and lets it run anew.
func (w *watch) extend(d time.Duration) {
	w.limit.Store(max(w.limit.Load(), int64(d)))
	w.progress()
}

// rest stops the clock until the next progress.
func (w *watch) rest() { w.timer.Stop() }

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// repeat makes attempts of a request that does no harm twice until it is answered. It
// fails with ErrUnavailable when ctx or patience ends; patience 0 has no end.
func repeat[T any](ctx context.Context, patience time.Duration, once func(context.Context) (T, error)) (T, error) {
	began := time.Now()
	pause := pauses()
	for {
		v, err := once(ctx)
		if err == nil || fateOf(err) == Refused || errors.Is(err, ErrNotPermitted) {
			return v, err
		}
		if patience > 0 && time.Since(began) >= patience || !pause.Wait(ctx, nil) {
			return v, unavailable(ctx, err)
		}
	}
}

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// pauses are those between two attempts of one request.
func pauses() wait.Backoff { return wait.Backoff{First: firstPause, Last: lastPause} }
