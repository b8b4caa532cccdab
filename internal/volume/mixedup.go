package volume

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// A bucket holds either files or locks: every record of a lock table would be a file in the mount,
// which anybody could remove, and its heartbeats would pile up as versions.

// refuseLockBucket fails if the bucket that is to be made ready for files holds a lock table.
func (v *Volume) refuseLockBucket(ctx context.Context) error {
	t, err := v.at.table(ctx, TableName{BackendS3, v.Source.Bucket})
	if err != nil {
		return err
	}
	_, err = readTable(ctx, t)
	switch {
	case errors.Is(err, lockmgr.ErrUnavailable):
		return v.at.explainBucket(fmt.Errorf("%w: looking for a lock table: %w", store.ErrUnavailable, err))
	case err != nil:
		return nil // none; whether the bucket is good for files is for others to say
	}
	return fmt.Errorf("bucket %s holds the lock table of other buckets, and files would mix with its locks: name another bucket as SOURCE", v.Source.Bucket)
}

// refuseDataBucket fails if the bucket that is to hold the lock table is one for files.
func (v *Volume) refuseDataBucket(ctx context.Context, n TableName) error {
	if n.Backend != BackendS3 {
		return nil
	}
	bucket, err := v.at.bucket(ctx, n.Table, store.Options{})
	if err != nil {
		return err
	}
	_, _, err = bucket.ReadBucketConfig(ctx)
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return v.explainTable(fmt.Errorf("%w: %w", lockmgr.ErrUnavailable, err), n)
	case err != nil:
		return nil // it has none; what is wrong with it is for others to say
	}
	return fmt.Errorf("--lock %s names a bucket for files, which has a %s of its own: name one that is new or empty, for example --lock s3:%s",
		n, store.BucketConfigKey, suffixed(v.Source.Bucket, "-locks", maxBucketName))
}
