package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// HeadBucket implements API.
func (b *s3Bucket) HeadBucket(ctx context.Context) error {
	ctx, a := b.read(ctx, "HeadBucket", "")
	_, err := b.meta.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name})
	if err == nil {
		return nil
	}
	failed := a.failHead(ctx, err)
	if errors.Is(failed, ErrNotFound) { // the answer to a HEAD has no code
		failed.Err = fmt.Errorf("%w: %w", ErrNoBucket, err)
	}
	return failed
}

// CreateBucket implements API.
func (b *s3Bucket) CreateBucket(ctx context.Context) error {
	ctx, a := b.change(ctx, "CreateBucket", "")
	in := &s3.CreateBucketInput{Bucket: &b.name}
	if b.region != "us-east-1" { // which has no name here: IllegalLocationConstraintException
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(b.region)}
	}
	if _, err := b.meta.CreateBucket(ctx, in); err != nil {
		return a.fail(ctx, err)
	}
	return nil
}

// Versioning implements API.
func (b *s3Bucket) Versioning(ctx context.Context) (Versioning, error) {
	ctx, a := b.read(ctx, "Versioning", "")
	out, err := b.meta.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.name})
	if err != nil {
		return VersioningOff, a.fail(ctx, err)
	}
	return Versioning(out.Status), nil
}

// EnableVersioning implements API.
func (b *s3Bucket) EnableVersioning(ctx context.Context) error {
	ctx, a := b.change(ctx, "EnableVersioning", "")
	_, err := b.meta.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &b.name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		return a.fail(ctx, err)
	}
	return nil
}

// DefaultRetention implements API. A server that does not know of Object Lock, or a bucket without
// it, refuses the request, or takes it for one to list the bucket, as gofakes3 does.
func (b *s3Bucket) DefaultRetention(ctx context.Context) (Retention, error) {
	ctx, a := b.read(ctx, "DefaultRetention", "")
	out, err := b.meta.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &b.name}, wantRoot("ObjectLockConfiguration"))
	if other, ok := errors.AsType[*wrongRootError](err); ok && other.root == "ListBucketResult" {
		return Retention{}, nil
	}
	if err != nil {
		failed := a.fail(ctx, err)
		if failed.Fate != Refused || errors.Is(failed, ErrAccessDenied) || errors.Is(failed, ErrNoBucket) {
			return Retention{}, failed
		}
		return Retention{}, nil
	}
	if out.ObjectLockConfiguration == nil || out.ObjectLockConfiguration.Rule == nil || out.ObjectLockConfiguration.Rule.DefaultRetention == nil {
		return Retention{}, nil
	}
	d := out.ObjectLockConfiguration.Rule.DefaultRetention
	return Retention{Mode: string(d.Mode), Days: int(aws.ToInt32(d.Days)), Years: int(aws.ToInt32(d.Years))}, nil
}

// Server implements API.
func (b *s3Bucket) Server() string {
	if name := b.server.Load(); name != nil {
		return *name
	}
	return ""
}

// Skew implements API.
func (b *s3Bucket) Skew() (time.Duration, bool) {
	if skew := b.skew.Load(); skew != nil {
		return *skew, true
	}
	return 0, false
}

// s3Answers is an HTTP client that notes of each answer the Server header, and by how much its Date
// is ahead of our clock.
type s3Answers struct {
	s3.HTTPClient
	server *atomic.Pointer[string]
	skew   *atomic.Pointer[time.Duration]
}

// Do implements s3.HTTPClient.
func (c s3Answers) Do(r *http.Request) (*http.Response, error) {
	answer, err := c.HTTPClient.Do(r)
	if err == nil {
		name := answer.Header.Get("Server")
		c.server.Store(&name)
		c.skew.Store(nil)
		if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
			skew := time.Until(date)
			c.skew.Store(&skew)
		}
	}
	return answer, err
}
