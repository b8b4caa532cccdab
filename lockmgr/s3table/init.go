package s3table

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/latchfs/latchfs/internal/awserr"
	"github.com/latchfs/latchfs/lockmgr"
)

// ReadConfig implements lockmgr.Table.
func (t *Table) ReadConfig(ctx context.Context) (lockmgr.Config, error) {
	var rec table
	etag, err := t.get(ctx, t.api, "config", configKey, &rec)
	if err != nil {
		return lockmgr.Config{}, err
	}
	if etag == "" {
		t.requests.Add("config")
		out, err := t.api.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &t.bucket, MaxKeys: aws.Int32(1)})
		if err != nil {
			return lockmgr.Config{}, t.explain("config", err)
		}
		if len(out.Contents) == 0 {
			return lockmgr.Config{}, fmt.Errorf("bucket %s is empty: %w", t.bucket, lockmgr.ErrNoTable)
		}
		// Once more: another init may have written it since.
		if etag, err = t.get(ctx, t.api, "config", configKey, &rec); err != nil {
			return lockmgr.Config{}, err
		}
		if etag == "" {
			return lockmgr.Config{}, fmt.Errorf("bucket %s has objects but no lock table: %w", t.bucket, lockmgr.ErrForeignTable)
		}
	}
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	c := lockmgr.Config{Schema: rec.Schema, ID: rec.ID,
		Timing: lockmgr.Timing{Beat: ms(rec.BeatMS), Lease: ms(rec.LeaseMS), Delay: ms(rec.DelayMS)}}
	return c, c.Check()
}

// Init implements lockmgr.Table.
func (t *Table) Init(ctx context.Context, wish lockmgr.Config) (lockmgr.Config, bool, error) {
	wish.Schema = lockmgr.Schema
	if wish.ID == "" {
		wish.ID = rand.Text()
	}
	if err := wish.Validate(); err != nil {
		return lockmgr.Config{}, false, err
	}
	have, err := t.ReadConfig(ctx)
	if err == nil {
		return have, false, have.Agree(wish)
	}
	if !errors.Is(err, lockmgr.ErrNoTable) {
		return lockmgr.Config{}, false, err
	}
	if err := t.create(ctx); err != nil {
		return lockmgr.Config{}, false, err
	}
	_, err = t.put(ctx, t.api, "init", configKey, "", table{Schema: wish.Schema, ID: wish.ID,
		BeatMS: wish.Beat.Milliseconds(), LeaseMS: wish.Lease.Milliseconds(), DelayMS: wish.Delay.Milliseconds()})
	if err != nil && !errors.Is(err, errChanged) {
		return lockmgr.Config{}, false, err
	}
	// Read back: another init may have been first, with other times.
	have, err = t.ReadConfig(ctx)
	if err != nil {
		return lockmgr.Config{}, false, err
	}
	return have, have.ID == wish.ID, have.Agree(wish)
}

// create makes the bucket, unless it is there, and refuses one that keeps versions: every
// heartbeat would pile one up. Object Lock with it is refused too: it needs versions.
func (t *Table) create(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &t.bucket}
	if t.region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(t.region)}
	}
	t.requests.Add("init")
	_, err := t.api.CreateBucket(ctx, in)
	switch awserr.Code(err) {
	case "BucketAlreadyOwnedByYou", "BucketAlreadyExists":
		// Ours, or ReadConfig was refused before.
	default:
		if err != nil {
			return t.explain("create", err)
		}
	}
	t.requests.Add("init")
	v, err := t.api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &t.bucket})
	if err != nil {
		return t.explain("create", err)
	}
	if v.Status != "" {
		return fmt.Errorf("bucket %s has versioning %s, which a lock table cannot use; name another bucket: %w",
			t.bucket, v.Status, lockmgr.ErrForeignTable)
	}
	return nil
}
