package memstore

import (
	"context"
	"fmt"

	"github.com/latchfs/latchfs/store"
)

// A call is one request, for its errors.
type call struct{ op, key string }

// begin takes a request to the bucket in.
func (b *Bucket) begin(ctx context.Context, op, key string) (call, error) {
	c := call{op, key}
	if err := c.alive(ctx); err != nil {
		return c, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests[op]++
	if b.missing {
		return c, c.refused("NoSuchBucket")
	}
	return c, nil
}

// beginKey takes a request for a key in.
func (b *Bucket) beginKey(ctx context.Context, op, key string) (call, error) {
	c, err := b.begin(ctx, op, key)
	switch {
	case err != nil:
		return c, err
	case key == "":
		return c, c.refused("InvalidArgument")
	case len(key) > store.MaxKey:
		return c, c.refused("KeyTooLongError")
	}
	return c, nil
}

// alive fails if the context has ended before the request was complete.
func (c call) alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return c.unsent("", err)
	}
	return nil
}

// refused is the answer of the server that the request has no effect.
func (c call) refused(code string) error {
	return &store.AttemptError{Op: c.op, Key: c.key, Fate: store.Refused, Code: code,
		Err: fmt.Errorf("%s: %w", code, meaning(code))}
}

// unsent is the end of a request that the server did not get as a whole.
func (c call) unsent(code string, err error) error {
	return &store.AttemptError{Op: c.op, Key: c.key, Fate: store.Unsent, Code: code, Err: err}
}

// meaning gives the error of package store that an error code of S3 stands for.
func meaning(code string) error {
	switch code {
	case "PreconditionFailed":
		return store.ErrPrecondition
	case "NoSuchKey", "NoSuchVersion", "NoSuchUpload", "MethodNotAllowed":
		return store.ErrNotFound
	case "NoSuchBucket":
		return store.ErrNoBucket
	case "ObjectLocked":
		return store.ErrRetained
	case "InvalidObjectState":
		return store.ErrArchived
	case "InvalidRange":
		return store.ErrBadRange
	}
	return store.ErrRefused
}
