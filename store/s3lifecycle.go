package store

import (
	"bytes"
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Lifecycle implements API. The SDK's own types would lose what they do not know.
func (b *s3Bucket) Lifecycle(ctx context.Context) (Lifecycle, error) {
	ctx, a := b.read(ctx, "Lifecycle", "")
	var document bytes.Buffer
	out, err := b.meta.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &b.name},
		wantRoot("LifecycleConfiguration"), copyAnswer(&document))
	if err != nil {
		return Lifecycle{}, a.fail(ctx, err)
	}
	l := Lifecycle{MinimumSize: string(out.TransitionDefaultMinimumObjectSize)}
	if l.Rules, err = ParseLifecycle(document.Bytes()); err != nil {
		return Lifecycle{}, a.fail(ctx, err)
	}
	return l, nil
}

// SetLifecycle implements API.
func (b *s3Bucket) SetLifecycle(ctx context.Context, l Lifecycle) error {
	ctx, a := b.change(ctx, "SetLifecycle", "")
	var err error
	if len(l.Rules) == 0 {
		_, err = b.meta.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &b.name})
	} else {
		_, err = b.meta.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
			Bucket:                             &b.name,
			LifecycleConfiguration:             &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{}},
			TransitionDefaultMinimumObjectSize: types.TransitionDefaultMinimumObjectSize(l.MinimumSize),
		}, sendDocument(l.Document()))
	}
	if err != nil {
		return a.fail(ctx, err)
	}
	return nil
}

// SetTags implements API.
func (b *s3Bucket) SetTags(ctx context.Context, key, version, tags string) error {
	ctx, a := b.change(ctx, "SetTags", key)
	parsed, err := url.ParseQuery(tags)
	if err != nil {
		return a.fail(ctx, err)
	}
	set := []types.Tag{}
	for name, values := range parsed {
		set = append(set, types.Tag{Key: &name, Value: aws.String(values[0])})
	}
	if len(set) == 0 {
		_, err = b.meta.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: &b.name, Key: &key, VersionId: given(version)})
	} else {
		_, err = b.meta.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
			Bucket: &b.name, Key: &key, VersionId: given(version), Tagging: &types.Tagging{TagSet: set},
		})
	}
	if err != nil {
		return a.fail(ctx, err)
	}
	return nil
}

// sendDocument is the option of an operation that sends this body in place of the SDK's.
func sendDocument(document []byte) func(*s3.Options) {
	send := middleware.SerializeMiddlewareFunc("SendDocument", func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
		middleware.SerializeOutput, middleware.Metadata, error,
	) {
		if r, ok := in.Request.(*smithyhttp.Request); ok {
			with, err := r.SetStream(bytes.NewReader(document))
			if err != nil {
				return middleware.SerializeOutput{}, middleware.Metadata{}, err
			}
			in.Request = with
		}
		return next.HandleSerialize(ctx, in)
	})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Serialize.Insert(send, "OperationSerializer", middleware.After)
		})
	}
}
