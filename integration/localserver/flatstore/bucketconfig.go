package flatstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// A bucketConfig is all that a bucket is, besides its objects. The front gives and
// takes the documents in forms of its own, which we only keep.
type bucketConfig struct {
	Created     time.Time                    `json:"created"`
	Versioning  types.BucketVersioningStatus `json:"versioning,omitempty"` // "" until it is set for the first time
	LockEnabled bool                         `json:"lock_enabled,omitempty"`
	Retention   *types.DefaultRetention      `json:"retention,omitempty"`
	ACL         []byte                       `json:"acl,omitempty"`
	Ownership   types.ObjectOwnership        `json:"ownership,omitempty"`
	Policy      []byte                       `json:"policy,omitempty"`
	CORS        []byte                       `json:"cors,omitempty"`
	Website     []byte                       `json:"website,omitempty"`
	Tags        map[string]string            `json:"tags,omitempty"`
}

// configure changes the configuration of a bucket.
func (s *Store) configure(name string, change func(*bucketConfig) error) error {
	return s.updateBucket(name, false, func(b *bucket) error {
		if err := change(&b.config); err != nil {
			return err
		}
		return b.saveConfig()
	})
}

// configuration gives that of a bucket.
func (s *Store) configuration(name string) (c bucketConfig, err error) {
	err = s.viewBucket(name, func(b *bucket) error {
		c = b.config
		return nil
	})
	return c, err
}

func (s *Store) PutBucketVersioning(_ context.Context, bucket string, status types.BucketVersioningStatus) error {
	return s.configure(bucket, func(c *bucketConfig) error {
		if status == types.BucketVersioningStatusSuspended && c.LockEnabled {
			return s3err.GetAPIError(s3err.ErrSuspendedVersioningNotAllowed)
		}
		c.Versioning = status
		return nil
	})
}

func (s *Store) GetBucketVersioning(_ context.Context, bucket string) (out s3response.GetBucketVersioningOutput, err error) {
	c, err := s.configuration(bucket)
	if c.Versioning != "" {
		out.Status = &c.Versioning
	}
	return out, err
}

func (s *Store) PutBucketAcl(_ context.Context, bucket string, data []byte) error {
	return s.configure(bucket, func(c *bucketConfig) error { c.ACL = data; return nil })
}

func (s *Store) GetBucketAcl(_ context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	c, err := s.configuration(deref(in.Bucket))
	return c.ACL, err
}

func (s *Store) PutBucketOwnershipControls(_ context.Context, bucket string, o types.ObjectOwnership) error {
	return s.configure(bucket, func(c *bucketConfig) error { c.Ownership = o; return nil })
}

func (s *Store) GetBucketOwnershipControls(_ context.Context, bucket string) (types.ObjectOwnership, error) {
	c, err := s.configuration(bucket)
	if err == nil && c.Ownership == "" {
		err = s3err.GetBucketErr(s3err.ErrOwnershipControlsNotFound, bucket)
	}
	return c.Ownership, err
}

func (s *Store) DeleteBucketOwnershipControls(ctx context.Context, bucket string) error {
	return s.PutBucketOwnershipControls(ctx, bucket, "")
}

func (s *Store) PutBucketPolicy(_ context.Context, bucket string, policy []byte) error {
	return s.configure(bucket, func(c *bucketConfig) error { c.Policy = policy; return nil })
}

func (s *Store) GetBucketPolicy(_ context.Context, bucket string) ([]byte, error) {
	c, err := s.configuration(bucket)
	if err == nil && len(c.Policy) == 0 {
		err = s3err.GetBucketErr(s3err.ErrNoSuchBucketPolicy, bucket)
	}
	return c.Policy, err
}

func (s *Store) DeleteBucketPolicy(ctx context.Context, bucket string) error {
	return s.PutBucketPolicy(ctx, bucket, nil)
}

func (s *Store) PutBucketCors(_ context.Context, bucket string, cors []byte) error {
	return s.configure(bucket, func(c *bucketConfig) error { c.CORS = cors; return nil })
}

func (s *Store) GetBucketCors(_ context.Context, bucket string) ([]byte, error) {
	c, err := s.configuration(bucket)
	if err == nil && len(c.CORS) == 0 {
		err = s3err.GetBucketErr(s3err.ErrNoSuchCORSConfiguration, bucket)
	}
	return c.CORS, err
}

func (s *Store) DeleteBucketCors(ctx context.Context, bucket string) error {
	return s.PutBucketCors(ctx, bucket, nil)
}

func (s *Store) PutBucketWebsite(_ context.Context, bucket string, website []byte) error {
	return s.configure(bucket, func(c *bucketConfig) error { c.Website = website; return nil })
}

func (s *Store) GetBucketWebsite(_ context.Context, bucket string) ([]byte, error) {
	c, err := s.configuration(bucket)
	if err == nil && len(c.Website) == 0 {
		err = s3err.GetBucketErr(s3err.ErrNoSuchWebsiteConfiguration, bucket)
	}
	return c.Website, err
}

func (s *Store) DeleteBucketWebsite(ctx context.Context, bucket string) error {
	return s.PutBucketWebsite(ctx, bucket, nil)
}

func (s *Store) PutBucketTagging(_ context.Context, bucket string, tags map[string]string) error {
	return s.configure(bucket, func(c *bucketConfig) error { c.Tags = tags; return nil })
}

func (s *Store) GetBucketTagging(_ context.Context, bucket string) (map[string]string, error) {
	c, err := s.configuration(bucket)
	if err == nil && len(c.Tags) == 0 {
		err = s3err.GetBucketErr(s3err.ErrBucketTaggingNotFound, bucket)
	}
	return c.Tags, err
}

func (s *Store) DeleteBucketTagging(ctx context.Context, bucket string) error {
	return s.PutBucketTagging(ctx, bucket, nil)
}

func (s *Store) PutObjectLockConfiguration(_ context.Context, bucket string, config []byte) error {
	var lock auth.BucketLockConfig
	if err := json.Unmarshal(config, &lock); err != nil {
		return fmt.Errorf("decoding an object lock configuration: %w", err)
	}
	return s.configure(bucket, func(c *bucketConfig) error {
		if c.Versioning != types.BucketVersioningStatusEnabled {
			return s3err.GetAPIError(s3err.ErrObjectLockConfigurationNotAllowed)
		}
		c.LockEnabled, c.Retention = lock.Enabled, lock.DefaultRetention
		return nil
	})
}

// GetObjectLockConfiguration leaves out when the default retention was set: from that
// the front would conclude until when it holds. It is stamped on each write instead.
func (s *Store) GetObjectLockConfiguration(_ context.Context, bucket string) ([]byte, error) {
	c, err := s.configuration(bucket)
	if err != nil {
		return nil, err
	}
	if !c.LockEnabled {
		return nil, s3err.GetBucketErr(s3err.ErrObjectLockConfigurationNotFound, bucket)
	}
	return json.Marshal(auth.BucketLockConfig{Enabled: true, DefaultRetention: c.Retention})
}
