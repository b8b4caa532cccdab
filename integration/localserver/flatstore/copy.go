package flatstore

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

const maxCopy = 5 << 30 // of CopyObject, and of one UploadPartCopy

// maxSourceChanges is how often a copy that has to read its source starts again because
// the source changed under it.
const maxSourceChanges = 10

// errSourceChanged is such a change.
var errSourceChanged = errors.New("the source of the copy changed")

// A source is where a copy comes from.
type source struct{ bucket, key, version string }

// parseSource takes X-Amz-Copy-Source apart: [/]BUCKET/KEY[?versionId=ID], with bucket
// and key URL-encoded. As S3 does, it reads a bare + as a space.
func parseSource(h string) (source, error) {
	path, id, _ := strings.Cut(strings.TrimPrefix(h, "/"), "?versionId=")
	path, err := url.QueryUnescape(path)
	if err != nil {
		return source{}, s3err.GetInvalidArgumentErr(s3err.InvalidArgCopySourceEncoding, h)
	}
	name, key, ok := strings.Cut(path, "/")
	if !ok || name == "" || key == "" {
		return source{}, s3err.GetInvalidArgumentErr(s3err.InvalidArgCopySourceBucket, h)
	}
	return source{name, key, id}, nil
}

// find looks the source up and judges the conditions on it.
func (c source) find(t *tx, cond backend.PreConditions) (b *bucket, v *version, err error) {
	if b, err = t.bucket(c.bucket); err != nil {
		return nil, nil, err
	}
	if v, err = b.read(c.key, c.version); err != nil {
		return nil, nil, err
	}
	return b, v, judgeSource(v, cond)
}

// CopyObject makes a version that refers to the content of another one. Source and
// destination are judged in the transaction that does so; no content is moved, and the
// ETag stays, also that of an object uploaded in parts.
func (s *Store) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	for range maxSourceChanges {
		out, err := s.copyObject(ctx, in)
		if !errors.Is(err, errSourceChanged) {
			return out, commitError(err)
		}
	}
	return s3response.CopyObjectOutput{}, s3err.GetAPIError(s3err.ErrSlowDown)
}

func (s *Store) copyObject(ctx context.Context, in s3response.CopyObjectInput) (out s3response.CopyObjectOutput, err error) {
	key := deref(in.Key)
	if err := checkKey(key); err != nil {
		return out, err
	}
	src, err := parseSource(deref(in.CopySource))
	if err != nil {
		return out, err
	}
	tags, err := backend.ParseObjectTags(deref(in.Tagging))
	if err != nil {
		return out, err
	}
	srcCond := backend.PreConditions{
		IfMatch: in.CopySourceIfMatch, IfNoneMatch: in.CopySourceIfNoneMatch,
		IfModSince: in.CopySourceIfModifiedSince, IfUnmodeSince: in.CopySourceIfUnmodifiedSince,
	}
	fresh, err := s.resum(src, srcCond, in.ChecksumAlgorithm)
	if err != nil {
		return out, err
	}
	cond := writeCondition(ctx, nil, nil)
	replace := in.MetadataDirective == types.MetadataDirectiveReplace
	err = s.updateBucket(deref(in.Bucket), false, func(b *bucket) error {
		from, v, err := src.find(b.t, srcCond)
		if err != nil {
			return err
		}
		current, err := b.current(key)
		if err != nil {
			return err
		}
		if err := cond.judge(current); err != nil {
			return err
		}
		if err := copyable(b, key, from, src, v, replace); err != nil {
			return err
		}
		dst := &version{ETag: v.ETag, Size: v.Size, Sum: v.Sum, Content: v.Content}
		if fresh != nil {
			if fresh.of != v.Seq {
				return errSourceChanged
			}
			dst.Sum = fresh.checksum
		}
		dst.Headers, dst.Meta, dst.Tags = v.Headers, v.Meta, v.Tags
		if replace {
			dst.Meta = encodeMeta(in.Metadata)
			dst.Headers = headers(map[string]*string{
				contentType: in.ContentType, contentEncoding: in.ContentEncoding, contentDisposition: in.ContentDisposition,
				contentLanguage: in.ContentLanguage, cacheControl: in.CacheControl, expires: in.Expires,
				redirectLocation: in.WebsiteRedirectLocation,
			})
		}
		if in.TaggingDirective == types.TaggingDirectiveReplace {
			dst.Tags = tags
		}
		if err := dst.lock(b.config, in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus); err != nil {
			return err
		}
		// Before add, which may let go of the very version that is copied.
		if err := b.t.retain(dst.Content); err != nil {
			return b.t.fail(err)
		}
		if err := b.add(key, dst); err != nil {
			return err
		}
		out.VersionId, out.CopySourceVersionId = ptr(b.shownID(dst)), ptr(from.shownID(v))
		out.CopyObjectResult = &s3response.CopyObjectResult{
			ETag: quoted(dst.ETag), LastModified: ptr(dst.modified()),
			ChecksumType: dst.Sum.Type, ChecksumCRC32: dst.Sum.in(crc32), ChecksumCRC32C: dst.Sum.in(crc32c),
			ChecksumSHA1: dst.Sum.in(sha1), ChecksumSHA256: dst.Sum.in(sha256), ChecksumCRC64NVME: dst.Sum.in(crc64nvme),
		}
		return nil
	})
	return out, err
}

// copyable refuses what S3 does not copy.
func copyable(b *bucket, key string, from *bucket, src source, v *version, replace bool) error {
	if v.Size > maxCopy {
		return s3err.GetCopySourceObjectTooLargeErr(maxCopy)
	}
	if b.name == from.name && key == src.key && !replace && src.version == "" {
		return s3err.GetAPIError(s3err.ErrInvalidCopyDest)
	}
	return nil
}

// A freshSum is a checksum computed for the version with sequence of.
type freshSum struct {
	checksum
	of uint64
}

// resum computes the checksum that a copy asks for if its source has another one, which
// takes reading the source; nil if there is nothing to compute.
func (s *Store) resum(src source, cond backend.PreConditions, algorithm types.ChecksumAlgorithm) (*freshSum, error) {
	if algorithm == "" {
		return nil, nil
	}
	if err := checkAlgorithm(algorithm); err != nil {
		return nil, err
	}
	f := &freshSum{checksum: checksum{Algorithm: algorithm, Type: types.ChecksumTypeFullObject}}
	var r *pieces
	err := s.view(func(t *tx) error {
		_, v, err := src.find(t, cond)
		if err != nil || v.Sum.Algorithm == algorithm {
			return err
		}
		f.of = v.Seq
		r, err = s.open(t, v.Content.Extents)
		return err
	})
	if err != nil || r == nil {
		return nil, err
	}
	defer r.Close()
	h, err := utils.NewHashReader(r, "", hashType(algorithm))
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, h); err != nil {
		return nil, err
	}
	f.Value = h.Sum()
	return f, nil
}
