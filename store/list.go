package store

import (
	"context"
	"fmt"
	"iter"
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

// history lists the versions and delete markers of one key, newest first. An error ends it.
func (c *Client) history(ctx context.Context, key string, patience time.Duration) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		o := VersionOptions{Prefix: key}
		for {
			page, err := c.listVersions(ctx, o, patience)
			if err != nil {
				yield(Version{}, err)
				return
			}
			for _, v := range page.Versions {
				// The key itself is the first that it is a prefix of.
				if v.Info.Key != key || !yield(v, nil) {
					return
				}
			}
			if page.NextKey == "" {
				return
			}
			o.KeyMarker, o.VersionMarker = page.NextKey, page.NextVersion
		}
	}
}

// Below gives the version or delete marker right below a version in the history of its key:
// what was there before it. It is the zero Version if there is none. Below fails with
// ErrNotFound if the version is not in the history, and otherwise as ListVersions does.
func (c *Client) Below(ctx context.Context, key, version string) (Version, error) {
	return c.below(ctx, key, version, readPatience)
}

func (c *Client) below(ctx context.Context, key, version string, patience time.Duration) (Version, error) {
	found := false
	for v, err := range c.history(ctx, key, patience) {
		if err != nil || found {
			return v, err
		}
		found = sameVersionID(v.Info.VersionID, version)
	}
	if !found {
		return Version{}, fmt.Errorf("version %s of %q: %w", version, key, ErrNotFound)
	}
	return Version{}, nil
}
