package flatstore

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// EnsureBucket creates the bucket of that name if it is not there.
func (s *Store) EnsureBucket(name, owner string, versioned bool) error {
	c := bucketConfig{ACL: aclOf(owner), Ownership: types.ObjectOwnershipBucketOwnerEnforced}
	if versioned {
		c.Versioning = types.BucketVersioningStatusEnabled
	}
	err := s.createBucket(name, c)
	if errors.Is(err, s3err.GetAPIError(s3err.ErrBucketAlreadyOwnedByYou)) {
		return nil
	}
	return err
}

func aclOf(owner string) []byte {
	b, _ := json.Marshal(auth.ACL{Owner: owner, Grantees: []auth.Grantee{{
		Permission: auth.PermissionFullControl, Access: owner, Type: types.TypeCanonicalUser,
	}}})
	return b
}

func (s *Store) createBucket(name string, c bucketConfig) error {
	c.Created = time.Now().UTC()
	return s.update(false, func(t *tx) error {
		buckets := t.Bucket(rootBuckets)
		if buckets.Bucket([]byte(name)) != nil {
			return s3err.GetBucketErr(s3err.ErrBucketAlreadyOwnedByYou, name)
		}
		t.writes++
		root, err := buckets.CreateBucket([]byte(name))
		if err != nil {
			return t.fail(err)
		}
		for _, sub := range [][]byte{subVersions, subUploads, subParts} {
			if _, err := root.CreateBucket(sub); err != nil {
				return t.fail(err)
			}
		}
		b := &bucket{t: t, name: name, root: root, config: c}
		return b.saveConfig()
	})
}

func (s *Store) CreateBucket(_ context.Context, in *s3.CreateBucketInput, acl []byte) error {
	c := bucketConfig{ACL: acl, Ownership: in.ObjectOwnership, LockEnabled: deref(in.ObjectLockEnabledForBucket)}
	if c.LockEnabled {
		c.Versioning = types.BucketVersioningStatusEnabled
	}
	if in.CreateBucketConfiguration != nil {
		var err error
		if c.Tags, err = backend.ParseCreateBucketTags(in.CreateBucketConfiguration.Tags); err != nil {
			return err
		}
	}
	return s.createBucket(deref(in.Bucket), c)
}

func (s *Store) HeadBucket(_ context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	_, err := s.configuration(deref(in.Bucket))
	return &s3.HeadBucketOutput{}, err
}

// DeleteBucket refuses as long as there are versions. Open uploads go with the bucket.
func (s *Store) DeleteBucket(_ context.Context, name string) error {
	return s.updateBucket(name, false, func(b *bucket) error {
		if k, _ := b.versions().Cursor().First(); k != nil {
			code := s3err.ErrBucketNotEmpty
			if b.config.Versioning != "" {
				code = s3err.ErrVersionedBucketNotEmpty
			}
			return s3err.GetBucketErr(code, name)
		}
		var uploads []string
		for k, _ := range each(b.uploads(), nil) {
			uploads = append(uploads, string(k))
		}
		for _, id := range uploads {
			if err := b.dropUpload(id); err != nil {
				return err
			}
		}
		b.t.writes++
		return b.t.fail(b.t.Bucket(rootBuckets).DeleteBucket([]byte(name)))
	})
}

func (s *Store) ListBuckets(_ context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	out := s3response.ListAllMyBucketsResult{Owner: s3response.CanonicalUser{ID: in.Owner}, Prefix: in.Prefix}
	err := s.view(func(t *tx) error {
		for k := range each(t.Bucket(rootBuckets), []byte(in.Prefix)) {
			name := string(k)
			if !strings.HasPrefix(name, in.Prefix) {
				return nil
			}
			if in.ContinuationToken != "" && name <= in.ContinuationToken {
				continue
			}
			list := &out.Buckets.Bucket
			if in.MaxBuckets > 0 && len(*list) == int(in.MaxBuckets) {
				out.ContinuationToken = (*list)[len(*list)-1].Name
				return nil
			}
			b, err := t.bucket(name)
			if err != nil {
				return err
			}
			*list = append(*list, s3response.ListAllMyBucketsEntry{Name: name, CreationDate: b.config.Created})
		}
		return nil
	})
	return out, err
}

func (s *Store) ListBucketsAndOwners(context.Context) (out []s3response.Bucket, err error) {
	err = s.view(func(t *tx) error {
		for k := range each(t.Bucket(rootBuckets), nil) {
			b, err := t.bucket(string(k))
			if err != nil {
				return err
			}
			acl, err := auth.ParseACL(b.config.ACL)
			if err != nil {
				return err
			}
			out = append(out, s3response.Bucket{Name: b.name, Owner: acl.Owner})
		}
		return nil
	})
	return out, err
}
