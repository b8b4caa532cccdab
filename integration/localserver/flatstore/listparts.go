package flatstore

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// ListParts lists the parts of an open upload.
func (s *Store) ListParts(_ context.Context, in *s3.ListPartsInput) (out s3response.ListPartsResult, err error) {
	marker := 0
	if m := deref(in.PartNumberMarker); m != "" {
		if marker, err = strconv.Atoi(m); err != nil {
			return out, s3err.GetInvalidArgMaxLimiter("part-number-marker", m)
		}
	}
	limit := int(deref(in.MaxParts))
	out = s3response.ListPartsResult{
		Bucket: deref(in.Bucket), Key: deref(in.Key), UploadID: deref(in.UploadId),
		StorageClass: types.StorageClassStandard, PartNumberMarker: marker, MaxParts: limit,
	}
	err = s.viewBucket(out.Bucket, func(b *bucket) error {
		u, err := b.upload(out.Key, out.UploadID)
		if err != nil {
			return err
		}
		out.ChecksumAlgorithm, out.ChecksumType = u.Algorithm, u.SumType
		if u.Algorithm == "" {
			out.ChecksumAlgorithm, out.ChecksumType = "null", "null"
		}
		parts, err := b.partsOf(u.ID)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if p.Number <= marker {
				continue
			}
			if len(out.Parts) == limit {
				out.IsTruncated = true
				break
			}
			out.NextPartNumberMarker = p.Number
			out.Parts = append(out.Parts, s3response.Part{
				PartNumber: p.Number, LastModified: p.Modified, ETag: *quoted(p.ETag), Size: p.Size,
				ChecksumCRC32: p.Sum.in(crc32), ChecksumCRC32C: p.Sum.in(crc32c), ChecksumCRC64NVME: p.Sum.in(crc64nvme),
				ChecksumSHA1: p.Sum.in(sha1), ChecksumSHA256: p.Sum.in(sha256),
			})
		}
		return nil
	})
	return out, err
}

// partsFrom lists the parts that a finished object was uploaded in.
func (r *reading) partsFrom(marker string, limit int) *s3response.ObjectParts {
	from, _ := strconv.Atoi(marker)
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	out := &s3response.ObjectParts{PartNumberMarker: from, MaxParts: limit}
	for i, n := range r.Content.Parts {
		if i < from {
			continue
		}
		if len(out.Parts) == limit {
			out.IsTruncated = true
			break
		}
		out.NextPartNumberMarker = i + 1
		out.Parts = append(out.Parts, types.ObjectPart{PartNumber: ptr(int32(i + 1)), Size: ptr(n)})
	}
	return out
}

// ListMultipartUploads lists the open uploads by key, those of one key by their time.
func (s *Store) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (out s3response.ListMultipartUploadsResult, err error) {
	enc := urlEncoded(ctx, in.EncodingType)
	w := walk{prefix: deref(in.Prefix), delimiter: deref(in.Delimiter)}
	keyMarker, idMarker := deref(in.KeyMarker), deref(in.UploadIdMarker)
	limit := int(deref(in.MaxUploads))
	out = s3response.ListMultipartUploadsResult{
		Bucket: deref(in.Bucket), KeyMarker: *enc.of(keyMarker), UploadIDMarker: idMarker,
		Prefix: *enc.of(w.prefix), Delimiter: *enc.of(w.delimiter), EncodingType: string(enc.name()), MaxUploads: limit,
	}
	all, err := s.openUploads(out.Bucket)
	if err != nil {
		return out, err
	}
	seen := ""
	for _, u := range all {
		behind := u.Key > keyMarker || u.Key == keyMarker && idMarker != "" && u.ID > idMarker
		common := w.common(u.Key)
		if !strings.HasPrefix(u.Key, w.prefix) || !behind || common != "" && (common == seen || common == keyMarker) {
			continue
		}
		if len(out.Uploads)+len(out.CommonPrefixes) == limit {
			out.IsTruncated = limit > 0
			break
		}
		if common != "" {
			seen = common
			out.CommonPrefixes = append(out.CommonPrefixes, s3response.CommonPrefix{Prefix: *enc.of(common)})
			out.NextKeyMarker, out.NextUploadIDMarker = *enc.of(common), ""
			continue
		}
		out.Uploads = append(out.Uploads, s3response.Upload{
			Key: *enc.of(u.Key), UploadID: u.ID, Initiated: u.Initiated, StorageClass: types.StorageClassStandard,
			ChecksumAlgorithm: u.Algorithm, ChecksumType: u.SumType,
		})
		out.NextKeyMarker, out.NextUploadIDMarker = *enc.of(u.Key), u.ID
	}
	if !out.IsTruncated {
		out.NextKeyMarker, out.NextUploadIDMarker = "", ""
	}
	return out, nil
}

// openUploads gives all open uploads of a bucket in the order of the listing.
func (s *Store) openUploads(name string) (all []*upload, err error) {
	err = s.viewBucket(name, func(b *bucket) error {
		for id, row := range each(b.uploads(), nil) {
			u := &upload{ID: string(id)}
			key, err := decodeRow(row, u)
			if err != nil {
				return err
			}
			u.Key = string(key)
			all = append(all, u)
		}
		return nil
	})
	slices.SortFunc(all, func(a, b *upload) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all, err
}
