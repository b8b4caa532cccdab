package store

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// CreateUpload implements API. Each part is checked by its CRC-32C, and the object by
// theirs.
func (b *s3Bucket) CreateUpload(ctx context.Context, in CreateUploadRequest) (string, error) {
	ctx, a := b.change(ctx, "CreateUpload", in.Key)
	out, err := b.meta.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &in.Key,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, ChecksumType: types.ChecksumTypeComposite,
	}, s3Headers(in.Props.header(in.Tags)))
	switch {
	case err != nil:
		return "", a.fail(ctx, err)
	case aws.ToString(out.UploadId) == "":
		return "", a.garbled("the answer names no upload")
	}
	return *out.UploadId, nil
}

// UploadPart implements API.
func (b *s3Bucket) UploadPart(ctx context.Context, in PartRequest) (Part, error) {
	ctx, a, body := b.upload(ctx, "UploadPart", in.Key, in.Body, in.Size)
	out, err := b.data.UploadPart(ctx, &s3.UploadPartInput{Bucket: &b.name, Key: &in.Key, UploadId: &in.Upload, PartNumber: &in.Number,
		Body: body, ContentLength: &in.Size, ChecksumCRC32C: given(in.CRC32C)}, unsigned)
	if err != nil {
		return Part{}, a.fail(ctx, err)
	}
	return a.part(in.Number, out.ETag, &in.CRC32C)
}

// CopyPart implements API.
func (b *s3Bucket) CopyPart(ctx context.Context, in CopyPartRequest) (Part, error) {
	ctx, a := b.change(ctx, "CopyPart", in.Key)
	cp := &s3.UploadPartCopyInput{Bucket: &b.name, Key: &in.Key, UploadId: &in.Upload, PartNumber: &in.Number,
		CopySource: b.source(in.Source, in.Version), CopySourceIfMatch: quoted(in.IfMatch)}
	if in.Range != (Range{Length: -1}) {
		cp.CopySourceRange = aws.String(in.Range.header())
	}
	out, err := b.meta.UploadPartCopy(ctx, cp)
	switch {
	case err != nil:
		return Part{}, a.fail(ctx, err)
	case out.CopyPartResult == nil:
		return Part{}, a.garbled("the answer is empty")
	}
	return a.part(in.Number, out.CopyPartResult.ETag, out.CopyPartResult.ChecksumCRC32C)
}

func (a *s3Attempt) part(number int32, etag, crc32c *string) (Part, error) {
	i, err := a.made(etag, nil)
	return Part{Number: number, ETag: i.ETag, CRC32C: aws.ToString(crc32c)}, err
}

// CompleteUpload implements API.
func (b *s3Bucket) CompleteUpload(ctx context.Context, in CompleteRequest) (Info, error) {
	ctx, a := b.change(ctx, "CompleteUpload", in.Key)
	parts := make([]types.CompletedPart, len(in.Parts))
	for i, p := range in.Parts {
		parts[i] = types.CompletedPart{PartNumber: &p.Number, ETag: quoted(p.ETag), ChecksumCRC32C: given(p.CRC32C)}
	}
	complete := &s3.CompleteMultipartUploadInput{Bucket: &b.name, Key: &in.Key, UploadId: &in.Upload, MpuObjectSize: &in.Size,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}
	complete.IfMatch, complete.IfNoneMatch = in.Cond.headers()
	out, err := b.meta.CompleteMultipartUpload(ctx, complete)
	if err != nil {
		return Info{}, a.fail(ctx, err)
	}
	return a.made(out.ETag, out.VersionId)
}

// AbortUpload implements API.
func (b *s3Bucket) AbortUpload(ctx context.Context, key, upload string) error {
	ctx, a := b.change(ctx, "AbortUpload", key)
	_, err := b.meta.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: &upload})
	if err != nil {
		return a.fail(ctx, err)
	}
	return nil
}
