package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// attemptTimeout bounds one attempt of a request that does not change the bucket; of a
	// Get, the wait for the answer and then for each piece of its body.
	attemptTimeout = 10 * time.Second
	// readPatience is how long such requests are tried again.
	readPatience = 30 * time.Second
)

// read makes attempts of a request that changes nothing until it is answered, ctx ends or
// patience does (0: never). Where the caller has cancelled, the error is his cause.
func read[T any](ctx context.Context, c *Client, op, key string, patience time.Duration, request func(context.Context) (T, error)) (T, error) {
	v, err := repeat(ctx, patience, func(ctx context.Context) (T, error) {
		return try(ctx, c, attempt{op: op, key: key, limit: attemptTimeout}, func(ctx context.Context, _ *watch) (T, error) {
			return request(ctx)
		})
	})
	return v, cancelled(ctx, op, key, err)
}

// cancelled makes the cause of the caller's cancellation of an error that came of it.
func cancelled(ctx context.Context, op, key string, err error) error {
	if errors.Is(err, ErrUnavailable) && errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s %q: %w", op, key, context.Cause(ctx))
	}
	return err
}

// Head gives the properties of a version; version "" is the current one. It fails with
// ErrNotFound also where a delete marker is.
func (c *Client) Head(ctx context.Context, key, version string) (Info, error) {
	return c.head(ctx, key, version, readPatience)
}

func (c *Client) head(ctx context.Context, key, version string, patience time.Duration) (Info, error) {
	return read(ctx, c, "Head", key, patience, func(ctx context.Context) (Info, error) {
		return c.api.Head(ctx, HeadRequest{Key: key, Version: version})
	})
}

// Get reads a version, or a range of it. The caller closes the body. It fails with
// ErrNotFound, ErrPrecondition if the current version does not match, ErrBadRange and
// ErrArchived. An error of the body, which a stall is too, comes from its Read: nothing is
// read again.
func (c *Client) Get(ctx context.Context, key string, o GetOptions) (*Object, error) {
	in := GetRequest{Key: key, Version: o.VersionID, IfMatch: o.IfMatch, Range: o.Range}
	object, err := repeat(ctx, readPatience, func(ctx context.Context) (*Object, error) { return c.get(ctx, in) })
	return object, cancelled(ctx, "Get", key, err)
}

// get makes one attempt, whose watch lives as long as the body.
func (c *Client) get(ctx context.Context, in GetRequest) (*Object, error) {
	a := attempt{op: "Get", key: in.Key, limit: attemptTimeout}
	if err := a.allowed(ctx); err != nil {
		return nil, err
	}
	ctx, w := startWatch(ctx, a.limit)
	c.requests.Add(a.op)
	began := time.Now()
	object, err := c.api.Get(ctx, in)
	w.rest()
	err = a.explain(ctx, err)
	c.logAttempt(ctx, a, began, err)
	if err != nil {
		w.end()
		return nil, err
	}
	object.Body = &answer{ctx: ctx, body: object.Body, a: a, w: w}
	return object, nil
}

// answer is the body of a Get. It carries the context of its one attempt, which it ends.
type answer struct {
	ctx  context.Context
	body io.ReadCloser
	a    attempt
	w    *watch
}

// Read runs the clock only while it waits for the server: the caller may take his time. What comes
// before a range that the server does not know (see s3Content) is progress.
func (r *answer) Read(p []byte) (n int, err error) {
	defer r.w.rest()
	for n == 0 && err == nil {
		r.w.progress()
		if n, err = r.body.Read(p); len(p) == 0 {
			break
		}
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, r.a.explain(r.ctx, err)
}

// Close gives the connection back.
func (r *answer) Close() error {
	defer r.w.end()
	return r.body.Close()
}
