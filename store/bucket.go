package store

import (
	"context"
	"fmt"

	"github.com/latchfs/latchfs/internal/awserr"
)

// CheckBucket fails with ErrNoBucket, ErrAccessDenied, ErrUnavailable, or ErrRefused. That is also
// said, at once, of a server that does not come to terms with us about TLS: whoever checks a bucket
// has only now been told where it is, and most likely in the wrong words.
func (c *Client) CheckBucket(ctx context.Context) error {
	return c.manage(ctx, "HeadBucket", func(ctx context.Context) error {
		err := c.api.HeadBucket(ctx)
		if err != nil && awserr.TLS(err) != awserr.NoTLSFault {
			return &AttemptError{Op: "HeadBucket", Fate: Refused, Err: fmt.Errorf("%w: %w", ErrRefused, err)}
		}
		return err
	})
}

// CreateBucket creates the bucket in the region that the API was dialled for. One that is
// there already and ours is success: an answer may have been lost.
func (c *Client) CreateBucket(ctx context.Context) error {
	err := c.manage(ctx, "CreateBucket", c.api.CreateBucket)
	if codeOf(err) == "BucketAlreadyOwnedByYou" {
		return nil
	}
	return err
}

// Versioned tells whether versioning is on; not if it is suspended.
func (c *Client) Versioned(ctx context.Context) (bool, error) {
	v, err := c.Versioning(ctx)
	return v == VersioningOn, err
}

// Versioning tells whether the bucket keeps versions.
func (c *Client) Versioning(ctx context.Context) (Versioning, error) {
	return read(ctx, c, "Versioning", "", readPatience, c.api.Versioning)
}

// DefaultRetention gives the rule by which Object Lock retains what is written, the zero
// Retention if there is none.
func (c *Client) DefaultRetention(ctx context.Context) (Retention, error) {
	return read(ctx, c, "DefaultRetention", "", readPatience, c.api.DefaultRetention)
}

// EnableVersioning switches versioning on.
func (c *Client) EnableVersioning(ctx context.Context) error {
	return c.manage(ctx, "EnableVersioning", c.api.EnableVersioning)
}

// manage makes a request about the bucket itself, which may be sent twice.
func (c *Client) manage(ctx context.Context, op string, request func(context.Context) error) error {
	_, err := read(ctx, c, op, "", readPatience, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, request(ctx)
	})
	return err
}

// Server gives the Server header of the latest answer, "" if that had none.
func (c *Client) Server() string { return c.api.Server() }
