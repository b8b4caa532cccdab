package gc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// uploadAge is how old an upload has to be. Our mounts abort those of theirs that come to nothing,
// and a flush that takes longer begins another upload if its own is gone.
const uploadAge = 7 * 24 * time.Hour

// removalTimeout bounds the removal of one of them.
const removalTimeout = 30 * time.Second

var errAbortHarms = errors.New("on this server the end of an upload harms the object of its name")

// uploads finds multipart uploads that nobody will complete: those of our checksums that are a week
// old, since nothing else tells whose an upload is, and those of probes.
func uploads(ctx context.Context, c *store.Client) ([]Item, error) {
	if c.Flaws().Has(store.AbortHarms) {
		return nil, errAbortHarms
	}
	var items []Item
	for o := (store.UploadOptions{}); ; {
		page, err := c.ListUploads(ctx, o)
		if err != nil {
			return items, err
		}
		for _, u := range page.Uploads {
			least := uploadAge
			if strings.HasPrefix(u.Key, store.ProbePrefix) {
				least = store.ProbeTime
			} else if !u.AsOurs {
				continue
			}
			if c.ServerNow().Sub(u.Begun) < least {
				continue
			}
			items = append(items, Item{Kind: Upload, Name: u.Key,
				Why: fmt.Sprintf("begun %s and not completed", u.Begun.UTC().Format(time.RFC3339)),
				remove: func(ctx context.Context) (bool, error) {
					return true, bounded(ctx, func(ctx context.Context) error { return c.AbortUpload(ctx, u.Key, u.ID) })
				}})
		}
		if page.NextKey == "" {
			return items, nil
		}
		o.KeyMarker, o.UploadMarker = page.NextKey, page.NextUpload
	}
}

// probed finds what probes of the server have left, with all its versions.
func probed(ctx context.Context, c *store.Client) ([]Item, error) {
	var items []Item
	for o := (store.VersionOptions{Prefix: store.ProbePrefix}); ; {
		page, err := c.ListVersions(ctx, o)
		if err != nil {
			return items, err
		}
		for _, v := range page.Versions {
			if c.ServerNow().Sub(v.Info.LastModified) < store.ProbeTime {
				continue
			}
			items = append(items, Item{Kind: Probe, Name: v.Info.Key, Why: "left by a probe of the server",
				remove: func(ctx context.Context) (bool, error) {
					return true, bounded(ctx, func(ctx context.Context) error { return c.RemoveProbed(ctx, v.Info.Key, v.Info.VersionID) })
				}})
		}
		if page.NextKey == "" {
			return items, nil
		}
		o.KeyMarker, o.VersionMarker = page.NextKey, page.NextVersion
	}
}

// probedLocks finds what probes have left in the bucket of the lock table, which keeps no versions, and to
// whose users nothing gives the right to list any.
func probedLocks(ctx context.Context, c *store.Client) ([]Item, error) {
	var items []Item
	for o := (store.ListOptions{Prefix: store.ProbePrefix}); ; {
		page, err := c.List(ctx, o)
		if err != nil {
			return items, err
		}
		for _, info := range page.Objects {
			if c.ServerNow().Sub(info.LastModified) < store.ProbeTime {
				continue
			}
			items = append(items, Item{Kind: Probe, Name: info.Key, Why: "left in the bucket of the lock table by a probe of the server",
				remove: func(ctx context.Context) (bool, error) {
					return true, bounded(ctx, func(ctx context.Context) error { return c.RemoveProbed(ctx, info.Key, "") })
				}})
		}
		if o.Token = page.Next; o.Token == "" {
			return items, nil
		}
	}
}

// bounded makes a request that the store would send again without end.
func bounded(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, removalTimeout)
	defer cancel()
	return request(ctx)
}

// inBucket finds what is not needed in the bucket. What these credentials may not list is left.
func (f *Found) inBucket(ctx context.Context, c *store.Client) {
	f.look("multipart uploads", "s3:ListBucketMultipartUploads", func() ([]Item, error) { return uploads(ctx, c) })
	f.look("what probes have left below "+store.ProbePrefix, "s3:ListBucketVersions", func() ([]Item, error) { return probed(ctx, c) })
}

// inLockBucket finds what is not needed in the bucket of the lock table besides its records; c is nil if the
// table is in none.
func (f *Found) inLockBucket(ctx context.Context, c *store.Client) {
	if c != nil {
		f.look("what probes have left below "+store.ProbePrefix+" in the bucket of the lock table", "s3:ListBucket", func() ([]Item, error) { return probedLocks(ctx, c) })
	}
}

// look adds what one look finds. What it had found before it failed counts.
func (f *Found) look(what, right string, find func() ([]Item, error)) {
	items, err := find()
	switch {
	case errors.Is(err, errAbortHarms):
		f.left(false, "%s: %v", what, err)
	case errors.Is(err, store.ErrAccessDenied):
		f.left(false, "%s: these credentials lack %s", what, right)
	case err != nil:
		f.left(true, "%s: %v", what, err)
	}
	f.Items = append(f.Items, items...)
}
