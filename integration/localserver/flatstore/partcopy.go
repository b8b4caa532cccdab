package flatstore

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// UploadPartCopy makes a part of a stretch of an object. The content is read for its
// ETag and checksum, but the part refers to it where it is.
func (s *Store) UploadPartCopy(_ context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	for range maxSourceChanges {
		out, err := s.uploadPartCopy(in)
		if !errors.Is(err, errSegmentGone) {
			return out, commitError(err)
		}
	}
	return s3response.CopyPartResult{}, s3err.GetAPIError(s3err.ErrSlowDown)
}

func (s *Store) uploadPartCopy(in *s3.UploadPartCopyInput) (out s3response.CopyPartResult, err error) {
	name, key, id := deref(in.Bucket), deref(in.Key), deref(in.UploadId)
	src, err := parseSource(deref(in.CopySource))
	if err != nil {
		return out, err
	}
	var u *upload
	var r *pieces
	p := &part{Number: int(deref(in.PartNumber)), Modified: time.Now().UTC()}
	err = s.view(func(t *tx) error {
		b, err := t.bucket(name)
		if err != nil {
			return err
		}
		if u, err = b.upload(key, id); err != nil {
			return err
		}
		from, v, err := src.find(t, backend.PreConditions{
			IfMatch: in.CopySourceIfMatch, IfNoneMatch: in.CopySourceIfNoneMatch,
			IfModSince: in.CopySourceIfModifiedSince, IfUnmodeSince: in.CopySourceIfUnmodifiedSince,
		})
		if err != nil {
			return err
		}
		off, n, err := backend.ParseCopySourceRange(v.Size, deref(in.CopySourceRange))
		if err != nil {
			return err
		}
		if n = min(n, v.Size-off); n > maxCopy {
			return s3err.GetCopySourceObjectTooLargeErr(maxCopy)
		}
		p.Content.Extents, p.Size = v.Content.slice(off, n), n
		out.CopySourceVersionId = from.shownID(v)
		r, err = s.open(t, p.Content.Extents)
		return err
	})
	if err != nil {
		return out, err
	}
	defer r.Close() // the files stay at least until the part is stored
	sum := md5.New()
	h, err := utils.NewHashReader(io.TeeReader(r, sum), "", hashType(chosen(u.Algorithm)))
	if err != nil {
		return out, err
	}
	if _, err := io.Copy(io.Discard, h); err != nil {
		return out, err
	}
	p.ETag = hex.EncodeToString(sum.Sum(nil))
	if u.Algorithm == "" {
		p.CRC64 = h.Sum()
	} else {
		p.Sum = checksum{Algorithm: u.Algorithm, Value: h.Sum()}
	}
	err = s.updateBucket(name, false, func(b *bucket) error {
		if _, err := b.upload(key, id); err != nil {
			return err
		}
		if err := b.t.retain(p.Content); err != nil {
			return err
		}
		return b.setPart(id, p)
	})
	out.ETag, out.LastModified = quoted(p.ETag), p.Modified.Truncate(time.Second)
	out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME = p.Sum.in(crc32), p.Sum.in(crc32c), p.Sum.in(crc64nvme)
	out.ChecksumSHA1, out.ChecksumSHA256 = p.Sum.in(sha1), p.Sum.in(sha256)
	return out, err
}
