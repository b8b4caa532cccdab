package flatstore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// PutObject stores an object. The condition is judged when the request arrives, to
// spare a body that will be refused, and again in the transaction that stores it.
func (s *Store) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	var out s3response.PutObjectOutput
	name, key := deref(in.Bucket), deref(in.Key)
	cond := writeCondition(ctx, in.IfMatch, in.IfNoneMatch)
	v, err := s.preparePut(ctx, in, cond)
	if err != nil {
		return out, refuse(ctx, in.Body, err)
	}
	got, err := s.receive(body{in.Body, deref(in.ContentLength),
		given(in.ChecksumCRC32, in.ChecksumCRC32C, in.ChecksumSHA1, in.ChecksumSHA256, in.ChecksumCRC64NVME)},
		chosen(in.ChecksumAlgorithm), false)
	if err != nil {
		return out, refuse(ctx, in.Body, err)
	}
	v.ETag, v.Size, v.Sum, v.Content = got.etag, got.size, got.sum, got.content()
	err = s.updateBucket(name, got.file(), func(b *bucket) error {
		current, err := b.current(key)
		if err != nil {
			return err
		}
		if err := cond.judge(current); err != nil {
			return err
		}
		if err := b.t.adopt(got.staged); err != nil {
			return err
		}
		if err := b.add(key, v); err != nil {
			return err
		}
		out.VersionID = b.shownID(v)
		return nil
	})
	if err != nil {
		return out, s.abandon(got.staged, err)
	}
	out.ETag, out.Size, out.ChecksumType = *quoted(v.ETag), &v.Size, v.Sum.Type
	out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME = v.Sum.in(crc32), v.Sum.in(crc32c), v.Sum.in(crc64nvme)
	out.ChecksumSHA1, out.ChecksumSHA256 = v.Sum.in(sha1), v.Sum.in(sha256)
	return out, nil
}

// preparePut makes the row of the new version, without its content, or refuses it.
func (s *Store) preparePut(ctx context.Context, in s3response.PutObjectInput, cond condition) (*version, error) {
	for _, h := range []string{"X-Amz-Write-Offset-Bytes", "X-Amz-Rename-Source"} {
		if _, sent := header(ctx, h); sent { // append and rename exist in directory buckets only
			return nil, s3err.GetNotImplementedErr(h, "")
		}
	}
	if err := checkKey(deref(in.Key)); err != nil {
		return nil, err
	}
	tags, err := backend.ParseObjectTags(deref(in.Tagging))
	if err != nil {
		return nil, err
	}
	v := &version{attributes: attributes{
		Headers: headers(map[string]*string{
			contentType: in.ContentType, contentEncoding: in.ContentEncoding, contentDisposition: in.ContentDisposition,
			contentLanguage: in.ContentLanguage, cacheControl: in.CacheControl, expires: in.Expires,
			redirectLocation: in.WebsiteRedirectLocation,
		}),
		Meta: encodeMeta(in.Metadata),
		Tags: tags,
	}}
	err = s.viewBucket(deref(in.Bucket), func(b *bucket) error {
		if err := v.lock(b.config, in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus); err != nil {
			return err
		}
		if !cond.any() {
			return nil
		}
		current, err := b.current(deref(in.Key))
		if err != nil {
			return err
		}
		return cond.judge(current)
	})
	return v, err
}

// chosen is the checksum algorithm of a body whose client gives none.
func chosen(asked types.ChecksumAlgorithm) types.ChecksumAlgorithm {
	if asked == "" {
		return crc64nvme
	}
	return asked
}

// abandon drops a staged body that was refused. After a failed commit it stays: the
// index may refer to it, which the sweep of the next start finds out.
func (s *Store) abandon(body *staged, err error) error {
	if _, unclear := err.(*indexError); !unclear {
		s.files.drop(body)
	}
	return commitError(err)
}
