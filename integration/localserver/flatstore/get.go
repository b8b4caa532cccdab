package flatstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// A reading is the outcome of looking at an object for GET or HEAD.
type reading struct {
	*version
	id           string // as shown
	offset, size int64  // the stretch asked for
	contentRange *string
	parts        *int32
	pieces       *pieces // of a GET
}

// look finds the object, judges the conditions and cuts out the range. Of a deletion
// marker it gives the version beside the error.
func (s *Store) look(in *s3.GetObjectInput, open bool) (*reading, error) {
	r := &reading{}
	err := s.viewBucket(deref(in.Bucket), func(b *bucket) (err error) {
		if r.version, err = b.read(deref(in.Key), deref(in.VersionId)); err != nil {
			return err
		}
		r.id = b.shownID(r.version)
		err = judgeRead(r.version, backend.PreConditions{
			IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch,
			IfModSince: in.IfModifiedSince, IfUnmodeSince: in.IfUnmodifiedSince,
		})
		if err != nil {
			return err
		}
		if err := r.cut(in.PartNumber, deref(in.Range)); err != nil || !open {
			return err
		}
		r.pieces, err = s.open(b.t, r.Content.slice(r.offset, r.size))
		return err
	})
	return r, err
}

// cut sets the stretch that a part number or a Range header names.
func (r *reading) cut(number *int32, ranges string) error {
	r.size = r.Size
	if number == nil {
		off, n, ok, err := backend.ParseObjectRange(r.Size, ranges)
		if err != nil {
			return err
		}
		if ok {
			r.offset, r.size = off, n
			r.contentRange = ptr(fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, r.Size))
		}
		return nil
	}
	count := int32(max(1, len(r.Content.Parts)))
	if *number > count {
		return s3err.GetInvalidPartNumberRangeErr(count, *number)
	}
	if r.Content.Parts != nil {
		r.parts = &count
		for _, n := range r.Content.Parts[:*number-1] {
			r.offset += n
		}
		r.size = r.Content.Parts[*number-1]
	}
	if r.size > 0 {
		r.contentRange = ptr(fmt.Sprintf("bytes %d-%d/%d", r.offset, r.offset+r.size-1, r.Size))
	}
	return nil
}

// sum is the checksum to show: that of the whole, if the whole is asked for.
func (r *reading) sum(mode types.ChecksumMode) checksum {
	if mode != types.ChecksumModeEnabled || r.size != r.Size {
		return checksum{}
	}
	return r.Sum
}

func (r *reading) tagCount() *int32 {
	if len(r.Tags) == 0 {
		return nil
	}
	return ptr(int32(len(r.Tags)))
}

func (r *reading) hold() types.ObjectLockLegalHoldStatus {
	switch {
	case r.LegalHold == nil:
		return ""
	case *r.LegalHold:
		return types.ObjectLockLegalHoldStatusOn
	}
	return types.ObjectLockLegalHoldStatusOff
}

// GetObject gives an object or a stretch of it. Body keeps the files it reads from.
func (s *Store) GetObject(_ context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	r, err := s.look(in, true)
	if err != nil {
		if r.version == nil || !r.Marker {
			return nil, err
		}
		return &s3.GetObjectOutput{DeleteMarker: ptr(true), LastModified: ptr(r.modified())}, err
	}
	sum := r.sum(in.ChecksumMode)
	out := &s3.GetObjectOutput{
		AcceptRanges: ptr("bytes"), ContentLength: &r.size, ContentRange: r.contentRange, PartsCount: r.parts,
		ETag: quoted(r.ETag), LastModified: ptr(r.modified()), VersionId: &r.id, Metadata: decodeMeta(r.Meta),
		ContentType: r.header(contentType), ContentEncoding: r.header(contentEncoding),
		ContentDisposition: r.header(contentDisposition), ContentLanguage: r.header(contentLanguage),
		CacheControl: r.header(cacheControl), ExpiresString: r.header(expires),
		WebsiteRedirectLocation: r.header(redirectLocation),
		TagCount:                r.tagCount(), StorageClass: types.StorageClassStandard,
		ObjectLockMode: types.ObjectLockMode(r.LockMode), ObjectLockLegalHoldStatus: r.hold(),
		ChecksumType: sum.Type, ChecksumCRC32: sum.in(crc32), ChecksumCRC32C: sum.in(crc32c),
		ChecksumSHA1: sum.in(sha1), ChecksumSHA256: sum.in(sha256), ChecksumCRC64NVME: sum.in(crc64nvme),
		Body: r.pieces,
	}
	if r.LockMode != "" {
		out.ObjectLockRetainUntilDate = &r.LockUntil
	}
	return out, nil
}

// HeadObject is GetObject without the content.
func (s *Store) HeadObject(_ context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	r, err := s.look(&s3.GetObjectInput{
		Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionId, PartNumber: in.PartNumber, Range: in.Range,
		IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch,
		IfModifiedSince: in.IfModifiedSince, IfUnmodifiedSince: in.IfUnmodifiedSince,
	}, false)
	if err != nil {
		if r.version == nil || !r.Marker {
			return nil, err
		}
		return &s3.HeadObjectOutput{DeleteMarker: ptr(true), LastModified: ptr(r.modified())}, err
	}
	sum := r.sum(in.ChecksumMode)
	out := &s3.HeadObjectOutput{
		AcceptRanges: ptr("bytes"), ContentLength: &r.size, ContentRange: r.contentRange, PartsCount: r.parts,
		ETag: quoted(r.ETag), LastModified: ptr(r.modified()), VersionId: &r.id, Metadata: decodeMeta(r.Meta),
		ContentType: r.header(contentType), ContentEncoding: r.header(contentEncoding),
		ContentDisposition: r.header(contentDisposition), ContentLanguage: r.header(contentLanguage),
		CacheControl: r.header(cacheControl), ExpiresString: r.header(expires),
		WebsiteRedirectLocation: r.header(redirectLocation),
		TagCount:                r.tagCount(), StorageClass: types.StorageClassStandard,
		ObjectLockMode: types.ObjectLockMode(r.LockMode), ObjectLockLegalHoldStatus: r.hold(),
		ChecksumType: sum.Type, ChecksumCRC32: sum.in(crc32), ChecksumCRC32C: sum.in(crc32c),
		ChecksumSHA1: sum.in(sha1), ChecksumSHA256: sum.in(sha256), ChecksumCRC64NVME: sum.in(crc64nvme),
	}
	if r.LockMode != "" {
		out.ObjectLockRetainUntilDate = &r.LockUntil
	}
	return out, nil
}

func (s *Store) GetObjectAttributes(_ context.Context, in *s3.GetObjectAttributesInput) (out s3response.GetObjectAttributesResponse, err error) {
	r, err := s.look(&s3.GetObjectInput{Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionId}, false)
	if err != nil {
		if r.version != nil && r.Marker {
			out.DeleteMarker = ptr(true)
			if errors.Is(err, s3err.GetAPIError(s3err.ErrMethodNotAllowed)) {
				out.VersionId = ptr(r.version.ID)
			}
		}
		return out, err
	}
	out = s3response.GetObjectAttributesResponse{
		ETag: &r.ETag, ObjectSize: &r.Size, StorageClass: types.StorageClassStandard,
		LastModified: ptr(r.modified()), VersionId: &r.id,
		Checksum: &types.Checksum{
			ChecksumType: r.Sum.Type, ChecksumCRC32: r.Sum.in(crc32), ChecksumCRC32C: r.Sum.in(crc32c),
			ChecksumSHA1: r.Sum.in(sha1), ChecksumSHA256: r.Sum.in(sha256), ChecksumCRC64NVME: r.Sum.in(crc64nvme),
		},
	}
	if n := len(r.Content.Parts); n > 0 {
		out.ObjectParts = r.partsFrom(deref(in.PartNumberMarker), int(deref(in.MaxParts)))
	}
	return out, nil
}

// GetObjectAcl refuses: there are no ACLs of objects.
func (s *Store) GetObjectAcl(context.Context, *s3.GetObjectAclInput) (*s3.GetObjectAclOutput, error) {
	return nil, s3err.GetAPIError(s3err.ErrNotImplemented)
}

var _ io.ReadCloser = (*pieces)(nil)
