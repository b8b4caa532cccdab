package s3table

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

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
		empty, err := t.empty(ctx)
		if err != nil {
			return lockmgr.Config{}, err
		}
		if empty {
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

// probePrefix is where a probe of the server writes (store.ProbePrefix). What is left there is nobody's.
const probePrefix = ".latchfs/probe/"

// empty tells whether the bucket holds nothing but what probes of the server have left.
func (t *Table) empty(ctx context.Context) (bool, error) {
	in := &s3.ListObjectsV2Input{Bucket: &t.bucket, MaxKeys: aws.Int32(1)}
	for {
		t.requests.Add("config")
		out, err := t.api.ListObjectsV2(ctx, in)
		if err != nil {
			return false, t.explain("config", err)
		}
		if len(out.Contents) == 0 || in.StartAfter != nil {
			return len(out.Contents) == 0, nil
		}
		if !strings.HasPrefix(aws.ToString(out.Contents[0].Key), probePrefix) {
			return false, nil
		}
		in.StartAfter = aws.String(probePrefix + string(utf8.MaxRune)) // what is beyond all of them
	}
}

// Init implements lockmgr.Table.
func (t *Table) Init(ctx context.Context, wish lockmgr.Config) (lockmgr.Config, bool, error) {
	return lockmgr.InitTable(ctx, wish, t.ReadConfig, t.writeConfig)
}

// writeConfig makes the bucket and the configuration, where they are not there.
func (t *Table) writeConfig(ctx context.Context, c lockmgr.Config) error {
	if err := t.create(ctx); err != nil {
		return err
	}
	_, err := t.put(ctx, t.api, "init", configKey, "", table{Schema: c.Schema, ID: c.ID,
		BeatMS: c.Beat.Milliseconds(), LeaseMS: c.Lease.Milliseconds(), DelayMS: c.Delay.Milliseconds()})
	if errors.Is(err, errChanged) {
		return nil
	}
	return err
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
