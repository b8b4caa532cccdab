package harness

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A stripping server lets pass what it is to ignore, and nothing else.
func TestStrippingServer(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	local, err := e.Suite.S3()
	e.Must(err)
	ctx := e.Timeout(time.Minute)
	direct := NewClient(local, "stripping")
	_, err = direct.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &direct.Bucket})
	e.Must(err)

	var (
		bucket, key, source = &direct.Bucket, aws.String("f"), aws.String("stripping/f")
		wrong               = aws.String(`"0123456789abcdef0123456789abcdef"`)
	)
	// Each sends one request whose condition does not hold.
	requests := map[Conditions]func(ctx context.Context, c *Client, upload *string) error{
		OnPut: func(ctx context.Context, c *Client, _ *string) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("b"), IfMatch: wrong})
			return err
		},
		OnCopy: func(ctx context.Context, c *Client, _ *string) error {
			_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: key, CopySource: source, MetadataDirective: types.MetadataDirectiveReplace, IfMatch: wrong})
			return err
		},
		OnPartSource: func(ctx context.Context, c *Client, upload *string) error {
			_, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: bucket, Key: key, UploadId: upload, PartNumber: aws.Int32(2), CopySource: source, CopySourceIfMatch: wrong})
			return err
		},
		OnComplete: func(ctx context.Context, c *Client, upload *string) error {
			part, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: upload, PartNumber: aws.Int32(1), Body: strings.NewReader("c")})
			if err != nil {
				return err
			}
			_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: upload, IfMatch: wrong,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}}})
			return err
		},
		OnDelete: func(ctx context.Context, c *Client, _ *string) error {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key, IfMatch: wrong})
			return err
		},
	}
	for _, ignored := range []Conditions{0, OnPut, OnCopy, OnPartSource, OnComplete, OnDelete, OnEverything} {
		c := NewClient(e.StrippingServer(local, ignored), direct.Bucket)
		for kind, send := range requests {
			e.Must(direct.Put(ctx, *key, "a"))
			upload, err := direct.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
			e.Must(err)
			if err := send(ctx, c, upload.UploadId); (err == nil) != (ignored&kind != 0) {
				t.Errorf("where %05b are ignored, a request of kind %05b ends with %v", ignored, kind, err)
			}
		}
	}
}
