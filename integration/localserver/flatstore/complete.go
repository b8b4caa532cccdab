package flatstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

const forgetPerComplete = 16 // old completed rows that each completion removes at most

// CompleteMultipartUpload makes the object of the parts listed. Their content goes over
// to it without being moved. Its condition is about what is current now, though the new
// version may come to lie below that. The same request sent again is answered as the first
// time, before its condition is looked at: S3 does so for a while.
func (s *Store) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (out s3response.CompleteMultipartUploadResult, id string, err error) {
	name, key, uploadID := deref(in.Bucket), deref(in.Key), deref(in.UploadId)
	if in.MultipartUpload == nil || len(in.MultipartUpload.Parts) == 0 {
		return out, "", s3err.GetAPIError(s3err.ErrMalformedXML)
	}
	etag, err := backend.ComputeMultipartETagFromPartETags(in.MultipartUpload.Parts)
	if err != nil {
		return out, "", err
	}
	etag = strings.Trim(etag, `"`)
	cond := writeCondition(ctx, in.IfMatch, in.IfNoneMatch)
	var done completed
	err = s.updateBucket(name, false, func(b *bucket) error {
		u, err := b.upload(key, uploadID)
		if err != nil {
			if before := b.completedBefore(key, uploadID); before != nil && before.ETag == etag {
				done = *before
				return nil
			}
			return err
		}
		v, err := b.assemble(u, in)
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
		v.ETag = etag
		if err := b.t.retain(v.Content); err != nil {
			return b.t.fail(err)
		}
		place := b.insert
		if v.Seq == 0 { // its upload was begun by a version of this program that gave none
			place = b.add
		}
		if err := place(key, v); err != nil {
			return err
		}
		if err := b.dropUpload(uploadID); err != nil {
			return err
		}
		done = completed{Bucket: name, Key: []byte(key), ETag: etag, VersionID: b.shownID(v), Sum: v.Sum, At: time.Now().UTC()}
		return b.remember(uploadID, done)
	})
	if err != nil {
		return out, "", commitError(err)
	}
	return s3response.CompleteMultipartUploadResult{
		Bucket: in.Bucket, Key: in.Key, ETag: quoted(done.ETag), ChecksumType: &done.Sum.Type,
		ChecksumCRC32: done.Sum.in(crc32), ChecksumCRC32C: done.Sum.in(crc32c), ChecksumCRC64NVME: done.Sum.in(crc64nvme),
		ChecksumSHA1: done.Sum.in(sha1), ChecksumSHA256: done.Sum.in(sha256),
	}, done.VersionID, nil
}

// assemble makes the version that the listed parts are, or refuses the list.
func (b *bucket) assemble(u *upload, in *s3.CompleteMultipartUploadInput) (*version, error) {
	if in.ChecksumType != "" && in.ChecksumType != u.SumType {
		actual := u.SumType
		if actual == "" {
			actual = "null"
		}
		return nil, s3err.GetChecksumTypeMismatchOnMpErr(actual)
	}
	v := &version{Seq: u.Seq, Modified: u.Initiated, attributes: u.attributes}
	var sums []string
	last := int32(0)
	listed := in.MultipartUpload.Parts
	for i, want := range listed {
		number := deref(want.PartNumber)
		if number < 1 {
			return nil, s3err.GetInvalidArgumentErr(s3err.InvalidArgCompleteMpPartNumber, fmt.Sprint(number))
		}
		if number <= last {
			return nil, s3err.GetAPIError(s3err.ErrInvalidPartOrder)
		}
		last = number
		p, err := b.part(u.ID, int(number))
		if err != nil {
			return nil, err
		}
		if p == nil || !backend.AreEtagsSame(p.ETag, deref(want.ETag)) {
			return nil, s3err.GetInvalidPartErr(u.ID, number, deref(want.ETag))
		}
		if i < len(listed)-1 && p.Size < backend.MinPartSize {
			return nil, s3err.GetEntityTooSmallErr(p.Size, backend.MinPartSize)
		}
		sum, err := u.partSum(p, want)
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
		v.Content.Extents = append(v.Content.Extents, p.Content.Extents...)
		v.Content.Parts = append(v.Content.Parts, p.Size)
		v.Size += p.Size
	}
	if in.MpuObjectSize != nil && *in.MpuObjectSize != v.Size {
		return nil, s3err.GetIncorrectMpObjectSizeErr(v.Size, *in.MpuObjectSize)
	}
	algorithm, kind := u.Algorithm, u.SumType
	if algorithm == "" {
		algorithm, kind = crc64nvme, types.ChecksumTypeFullObject
	}
	var err error
	if v.Sum, err = combine(algorithm, kind, sums, v.Content.Parts); err != nil {
		return nil, err
	}
	claim := given(in.ChecksumCRC32, in.ChecksumCRC32C, in.ChecksumSHA1, in.ChecksumSHA256, in.ChecksumCRC64NVME)
	if claim.Algorithm == "" || u.Algorithm == "" {
		return v, nil
	}
	if kind == types.ChecksumTypeComposite && !strings.Contains(claim.Value, "-") {
		claim.Value = fmt.Sprintf("%s-%d", claim.Value, len(listed))
	}
	if claim.Algorithm != v.Sum.Algorithm || claim.Value != v.Sum.Value {
		return nil, s3err.GetChecksumBadDigestErr(claim.Algorithm)
	}
	return v, nil
}

// partSum checks the checksum of a part that the list repeats, and gives the one from
// which the whole object's is made.
func (u *upload) partSum(p *part, want types.CompletedPart) (string, error) {
	claim := given(want.ChecksumCRC32, want.ChecksumCRC32C, want.ChecksumSHA1, want.ChecksumSHA256, want.ChecksumCRC64NVME)
	switch {
	case u.Algorithm == "":
		// SDKs repeat the sum that UploadPart answered, though the upload announced none.
		return p.CRC64, nil
	case claim.Algorithm == "" && u.SumType == types.ChecksumTypeComposite:
		return "", missingPartSum(u.Algorithm, int32(p.Number))
	case claim.Algorithm != "" && (claim.Algorithm != u.Algorithm || claim.Value != p.Sum.Value):
		return "", s3err.GetInvalidPartErr(u.ID, int32(p.Number), p.ETag)
	}
	return p.Sum.Value, nil
}

// completedBefore gives what came of that upload, if it is remembered.
func (b *bucket) completedBefore(key, id string) *completed {
	row := b.t.Bucket(rootCompleted).Get([]byte(id))
	if row == nil {
		return nil
	}
	var c completed
	if _, err := decodeRow(row, &c); err != nil || c.Bucket != b.name || string(c.Key) != key || time.Since(c.At) > completedFor {
		return nil
	}
	return &c
}

// remember keeps the answer for completedFor, and forgets older ones. Upload ids sort by
// the time the uploads began, so the oldest come first.
func (b *bucket) remember(id string, c completed) error {
	all := b.t.Bucket(rootCompleted)
	var old [][]byte
	for k, row := range each(all, nil) {
		var c completed
		if _, err := decodeRow(row, &c); len(old) == forgetPerComplete || err == nil && time.Since(c.At) < completedFor {
			break
		}
		old = append(old, append([]byte{}, k...))
	}
	for _, k := range old {
		if err := b.t.delete(all, k); err != nil {
			return err
		}
	}
	row, err := encodeRow(c, nil)
	if err != nil {
		return b.t.fail(err)
	}
	return b.t.put(all, []byte(id), row)
}
