package conformance

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// setup are the rows that make the buckets for all others.
func (e *s3Server) setup() []row {
	return []row{
		{id: "b01", title: "create bucket, HeadBucket, ListBuckets", check: func(ctx context.Context) error {
			for _, b := range []string{e.plain, e.ver} {
				if _, err := e.c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: p(b)}); err != nil {
					return fmt.Errorf("create %s: %s", b, code(err))
				}
			}
			if _, err := e.c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &e.plain}); err != nil {
				return fmt.Errorf("head: %s", code(err))
			}
			if _, err := e.c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: p("conf-missing-bucket")}); status(err) != 404 {
				return fmt.Errorf("head of missing bucket: %s", code(err))
			}
			l, err := e.c.ListBuckets(ctx, &s3.ListBucketsInput{})
			if err != nil {
				return err
			}
			n := 0
			for _, b := range l.Buckets {
				if *b.Name == e.plain || *b.Name == e.ver {
					n++
				}
			}
			if n != 2 {
				return fmt.Errorf("ListBuckets shows %d of 2", n)
			}
			return nil
		}},
		{id: "v01", title: "versioning: enable, read back; PUT/GET/HEAD carry VersionId", check: func(ctx context.Context) error {
			if _, err := e.c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &e.ver, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
				return fmt.Errorf("enable: %s", code(err))
			}
			g, err := e.c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &e.ver})
			if err != nil || g.Status != types.BucketVersioningStatusEnabled {
				return fmt.Errorf("get: %s %v", code(err), g)
			}
			r, err := e.put(ctx, e.ver, "v01", []byte("1"))
			if err != nil {
				return err
			}
			h, err := e.head(ctx, e.ver, "v01")
			if err != nil {
				return err
			}
			if aws.ToString(r.VersionId) == "" || aws.ToString(h.VersionId) != aws.ToString(r.VersionId) {
				return fmt.Errorf("put %q head %q", aws.ToString(r.VersionId), aws.ToString(h.VersionId))
			}
			return nil
		}},
		{id: "w01", title: "object lock: enable at bucket creation, config, versioning on", check: func(ctx context.Context) error {
			if _, err := e.c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &e.lock, ObjectLockEnabledForBucket: p(true)}); err != nil {
				return fmt.Errorf("create: %s", code(err))
			}
			g, err := e.c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &e.lock})
			if err != nil || g.ObjectLockConfiguration == nil || g.ObjectLockConfiguration.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
				return fmt.Errorf("config: %s", code(err))
			}
			v, err := e.c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &e.lock})
			if err != nil || v.Status != types.BucketVersioningStatusEnabled {
				return fmt.Errorf("versioning of the lock bucket: %s %v", code(err), v)
			}
			return nil
		}},
	}
}
