package flatstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// newUploadID gives an id that sorts by its time.
func newUploadID() string {
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], uint64(time.Now().UnixNano()))
	rand.Read(b[8:])
	return hex.EncodeToString(b[:])
}

func partKey(id string, number int) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(id), '/'), uint32(number))
}

// upload finds an open upload of key.
func (b *bucket) upload(key, id string) (*upload, error) {
	row := b.uploads().Get([]byte(id))
	if row == nil || id == "" {
		return nil, s3err.GetNoSuchUploadErr(id)
	}
	u := &upload{ID: id}
	tail, err := decodeRow(row, u)
	if err != nil {
		return nil, err
	}
	if u.Key = string(tail); u.Key != key {
		return nil, s3err.GetNoSuchUploadErr(id)
	}
	return u, nil
}

// part finds one part of an upload, nil if it is not there.
func (b *bucket) part(id string, number int) (*part, error) {
	row := b.parts().Get(partKey(id, number))
	if row == nil {
		return nil, nil
	}
	p := &part{Number: number}
	tail, err := decodeRow(row, p)
	if err != nil {
		return nil, err
	}
	p.Content, err = decodeContent(tail)
	return p, err
}

// partsOf gives all parts of an upload in their order.
func (b *bucket) partsOf(id string) (all []*part, err error) {
	prefix := partKey(id, 0)[:len(id)+1]
	for k := range each(b.parts(), prefix) {
		if len(k) != len(prefix)+4 || string(k[:len(prefix)]) != string(prefix) {
			break
		}
		p, err := b.part(id, int(binary.BigEndian.Uint32(k[len(prefix):])))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// setPart stores a part, in place of one with the same number.
func (b *bucket) setPart(id string, p *part) error {
	old, err := b.part(id, p.Number)
	if err != nil {
		return b.t.fail(err)
	}
	if old != nil {
		if err := b.t.release(old.Content); err != nil {
			return err
		}
	}
	row, err := encodeRow(p, p.Content.encode())
	if err != nil {
		return b.t.fail(err)
	}
	return b.t.put(b.parts(), partKey(id, p.Number), row)
}

// dropUpload removes an upload and its parts.
func (b *bucket) dropUpload(id string) error {
	parts, err := b.partsOf(id)
	if err != nil {
		return b.t.fail(err)
	}
	for _, p := range parts {
		if err := b.t.release(p.Content); err != nil {
			return err
		}
		if err := b.t.delete(b.parts(), partKey(id, p.Number)); err != nil {
			return err
		}
	}
	return b.t.delete(b.uploads(), []byte(id))
}

// CreateMultipartUpload opens an upload. It keeps what the finished object will be
// besides its content.
func (s *Store) CreateMultipartUpload(_ context.Context, in s3response.CreateMultipartUploadInput) (out s3response.InitiateMultipartUploadResult, err error) {
	key := deref(in.Key)
	if err := checkKey(key); err != nil {
		return out, err
	}
	if err := checkAlgorithm(in.ChecksumAlgorithm); err != nil {
		return out, err
	}
	tags, err := backend.ParseObjectTags(deref(in.Tagging))
	if err != nil {
		return out, err
	}
	u := &upload{
		ID: newUploadID(), Initiated: time.Now().UTC(), Algorithm: in.ChecksumAlgorithm, SumType: in.ChecksumType,
		attributes: attributes{
			Headers: headers(map[string]*string{
				contentType: in.ContentType, contentEncoding: in.ContentEncoding, contentDisposition: in.ContentDisposition,
				contentLanguage: in.ContentLanguage, cacheControl: in.CacheControl, expires: in.Expires,
				redirectLocation: in.WebsiteRedirectLocation,
			}),
			Meta: encodeMeta(in.Metadata),
			Tags: tags,
		},
	}
	err = s.updateBucket(deref(in.Bucket), false, func(b *bucket) (err error) {
		if err := u.lock(b.config, in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus); err != nil {
			return err
		}
		if u.Seq, err = b.nextSeq(); err != nil {
			return err
		}
		row, err := encodeRow(u, []byte(key))
		if err != nil {
			return err
		}
		return b.t.put(b.uploads(), []byte(u.ID), row)
	})
	return s3response.InitiateMultipartUploadResult{Bucket: deref(in.Bucket), Key: key, UploadId: u.ID}, commitError(err)
}

// AbortMultipartUpload drops an upload. S3 knows no such upload a second time.
func (s *Store) AbortMultipartUpload(_ context.Context, in *s3.AbortMultipartUploadInput) error {
	return commitError(s.updateBucket(deref(in.Bucket), false, func(b *bucket) error {
		u, err := b.upload(deref(in.Key), deref(in.UploadId))
		if err != nil {
			return err
		}
		if t := in.IfMatchInitiatedTime; t != nil && t.Unix() != u.Initiated.Unix() {
			return s3err.GetPreconditionFailedErr("x-amz-if-match-initiated-time")
		}
		return b.dropUpload(u.ID)
	}))
}

// UploadPart stores a part.
func (s *Store) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	name, key, id := deref(in.Bucket), deref(in.Key), deref(in.UploadId)
	in0 := body{in.Body, deref(in.ContentLength),
		given(in.ChecksumCRC32, in.ChecksumCRC32C, in.ChecksumSHA1, in.ChecksumSHA256, in.ChecksumCRC64NVME)}
	var u *upload
	err := s.viewBucket(name, func(b *bucket) (err error) {
		u, err = b.upload(key, id)
		return err
	})
	if err == nil {
		err = u.accepts(in0.algorithm())
	}
	if err != nil {
		return nil, refuse(ctx, in.Body, err)
	}
	got, err := s.receive(in0, chosen(u.Algorithm), u.Algorithm == "")
	if err != nil {
		return nil, refuse(ctx, in.Body, err)
	}
	p := &part{
		Number: int(deref(in.PartNumber)), ETag: got.etag, Size: got.size, Modified: time.Now().UTC(),
		CRC64: got.crc64, Content: got.content(),
	}
	if u.Algorithm != "" {
		p.Sum = got.sum
	}
	err = s.updateBucket(name, got.file(), func(b *bucket) error {
		if _, err := b.upload(key, id); err != nil {
			return err
		}
		if err := b.t.adopt(got.staged); err != nil {
			return err
		}
		return b.setPart(id, p)
	})
	if err != nil {
		return nil, s.abandon(got.staged, err)
	}
	shown := got.sum
	if in0.algorithm() == "" && u.Algorithm == "" {
		shown = checksum{}
	}
	return &s3.UploadPartOutput{
		ETag: quoted(p.ETag), ChecksumCRC32: shown.in(crc32), ChecksumCRC32C: shown.in(crc32c),
		ChecksumSHA1: shown.in(sha1), ChecksumSHA256: shown.in(sha256), ChecksumCRC64NVME: shown.in(crc64nvme),
	}, nil
}

// accepts refuses a part whose checksum is not what the upload was announced with.
func (u *upload) accepts(a types.ChecksumAlgorithm) error {
	switch {
	case u.Algorithm == "" || a == u.Algorithm:
		return nil
	case a != "":
		return s3err.GetChecksumTypeMismatchErr(u.Algorithm, a)
	case u.SumType == types.ChecksumTypeComposite:
		return s3err.GetChecksumTypeMismatchErr(u.Algorithm, "null")
	}
	return nil
}
