package store

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ListUploads implements API.
func (b *s3Bucket) ListUploads(ctx context.Context, o UploadOptions) (UploadPage, error) {
	ctx, a := b.read(ctx, "ListUploads", o.Prefix)
	out, err := b.meta.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
		Bucket: &b.name, Prefix: given(o.Prefix), KeyMarker: given(o.KeyMarker), UploadIdMarker: given(o.UploadMarker),
		MaxUploads: maxKeys(o.Max), EncodingType: "url",
	}, wantRoot("ListMultipartUploadsResult"))
	if err != nil {
		return UploadPage{}, a.fail(ctx, err)
	}
	decode := keyDecoder(string(out.EncodingType))
	page := UploadPage{Uploads: make([]Upload, len(out.Uploads))}
	for i, u := range out.Uploads {
		key, err := decode(aws.ToString(u.Key))
		if err != nil {
			return UploadPage{}, a.garbled("list of uploads: %w", err)
		}
		page.Uploads[i] = Upload{Key: key, ID: aws.ToString(u.UploadId), Begun: wholeSeconds(aws.ToTime(u.Initiated)),
			AsOurs: u.ChecksumAlgorithm == types.ChecksumAlgorithmCrc32c && u.ChecksumType == types.ChecksumTypeComposite}
		if u := page.Uploads[i]; u.Key == "" || u.ID == "" || u.Begun.IsZero() {
			return UploadPage{}, a.garbled("the list of uploads has an entry without key, id or time: %+v", u)
		}
	}
	if aws.ToBool(out.IsTruncated) {
		if page.NextKey, err = decode(aws.ToString(out.NextKeyMarker)); err != nil {
			return UploadPage{}, a.garbled("list of uploads: %w", err)
		}
		page.NextUpload = aws.ToString(out.NextUploadIdMarker)
		if page.NextKey == "" {
			return UploadPage{}, a.garbled("the list of uploads is cut and does not say where")
		} else if page.NextKey == o.KeyMarker && page.NextUpload == o.UploadMarker {
			return UploadPage{}, a.garbled("the list of uploads goes on where this page began")
		}
	}
	return page, nil
}
