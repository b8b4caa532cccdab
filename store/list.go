package store

import (
	"context"
	"time"
)

// List gives one page of a listing.
func (c *Client) List(ctx context.Context, o ListOptions) (ListPage, error) {
	return read(ctx, c, "List", o.Prefix, readPatience, func(ctx context.Context) (ListPage, error) {
		return c.api.List(ctx, o)
	})
}

// ListVersions gives one page of versions and delete markers.
func (c *Client) ListVersions(ctx context.Context, o VersionOptions) (VersionPage, error) {
	return c.listVersions(ctx, o, readPatience)
}

func (c *Client) listVersions(ctx context.Context, o VersionOptions, patience time.Duration) (VersionPage, error) {
	return read(ctx, c, "ListVersions", o.Prefix, patience, func(ctx context.Context) (VersionPage, error) {
		return c.api.ListVersions(ctx, o)
	})
}
