package conformance

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// mpu uploads parts and returns upload id and parts (not completed).
func (e *s3Server) mpu(ctx context.Context, b, k string, parts [][]byte, o ...func(*s3.CreateMultipartUploadInput)) (string, []types.CompletedPart, error) {
	in := &s3.CreateMultipartUploadInput{Bucket: &b, Key: &k}
	for _, f := range o {
		f(in)
	}
	c, err := e.c.CreateMultipartUpload(ctx, in)
	if err != nil {
		return "", nil, fmt.Errorf("create mpu: %s", code(err))
	}
	var cp []types.CompletedPart
	for i, d := range parts {
		ui := &s3.UploadPartInput{Bucket: &b, Key: &k, UploadId: c.UploadId, PartNumber: p(int32(i + 1)), Body: bytes.NewReader(d)}
		if in.ChecksumAlgorithm != "" {
			ui.ChecksumAlgorithm = in.ChecksumAlgorithm
		}
		r, err := e.c.UploadPart(ctx, ui)
		if err != nil {
			return "", nil, fmt.Errorf("upload part %d: %s", i+1, code(err))
		}
		x := types.CompletedPart{ETag: r.ETag, PartNumber: p(int32(i + 1)), ChecksumCRC32: r.ChecksumCRC32, ChecksumCRC64NVME: r.ChecksumCRC64NVME, ChecksumSHA256: r.ChecksumSHA256, ChecksumCRC32C: r.ChecksumCRC32C}
		cp = append(cp, x)
	}
	return *c.UploadId, cp, nil
}

func (e *s3Server) complete(ctx context.Context, b, k, id string, parts []types.CompletedPart, o ...func(*s3.CompleteMultipartUploadInput)) (*s3.CompleteMultipartUploadOutput, error) {
	in := &s3.CompleteMultipartUploadInput{Bucket: &b, Key: &k, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}
	for _, f := range o {
		f(in)
	}
	return e.c.CompleteMultipartUpload(ctx, in)
}

// onePart is an upload of one small part.
func onePart() [][]byte { return [][]byte{data(11, 1000)} }

func completeIfAbsent(i *s3.CompleteMultipartUploadInput) { i.IfNoneMatch = p("*") }

func completeIfMatch(etag string) func(*s3.CompleteMultipartUploadInput) {
	return func(i *s3.CompleteMultipartUploadInput) { i.IfMatch = &etag }
}
