package store

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// unsigned keeps the SDK from reading the body for a SHA-256 before it is sent: the
// CRC-32C is what the server checks it by.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}

// Put implements API.
func (b *s3Bucket) Put(ctx context.Context, in PutRequest) (Info, error) {
	ctx, a, body := b.upload(ctx, "Put", in.Key, in.Body, in.Size)
	put := &s3.PutObjectInput{Bucket: &b.name, Key: &in.Key, Body: body, ContentLength: &in.Size, ChecksumCRC32C: given(in.CRC32C)}
	put.IfMatch, put.IfNoneMatch = in.Cond.headers()
	out, err := b.data.PutObject(ctx, put, unsigned, s3Headers(in.Props.header(in.Tags)))
	if err != nil {
		return Info{}, a.fail(ctx, err)
	}
	return a.made(out.ETag, out.VersionId)
}

// made gives the Info of what a mutation made.
func (a *s3Attempt) made(etag, version *string) (Info, error) {
	i := Info{Key: a.key, ETag: unquote(aws.ToString(etag)), VersionID: aws.ToString(version)}
	if i.ETag == "" {
		return Info{}, a.garbled("the answer has no ETag")
	}
	return i, nil
}

// Copy implements API. Properties and tags are always replaced: those of the source are a
// past state of what the caller knows.
func (b *s3Bucket) Copy(ctx context.Context, in CopyRequest) (Info, error) {
	ctx, a := b.change(ctx, "Copy", in.Key)
	cp := &s3.CopyObjectInput{Bucket: &b.name, Key: &in.Key, CopySource: b.source(in.Source, in.Version), CopySourceIfMatch: quoted(in.IfMatch),
		MetadataDirective: "REPLACE", TaggingDirective: "REPLACE"}
	cp.IfMatch, cp.IfNoneMatch = in.Cond.headers()
	out, err := b.meta.CopyObject(ctx, cp, s3Headers(in.Props.header(in.Tags)))
	switch {
	case err != nil:
		return Info{}, a.fail(ctx, err)
	case out.CopyObjectResult == nil:
		return Info{}, a.garbled("the answer is empty")
	}
	i, err := a.made(out.CopyObjectResult.ETag, out.VersionId)
	if err != nil {
		return Info{}, err
	}
	i.LastModified = wholeSeconds(aws.ToTime(out.CopyObjectResult.LastModified))
	return i, nil
}

// source names a version of an object in the way of x-amz-copy-source.
func (b *s3Bucket) source(key, version string) *string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = escape(s)
	}
	s := b.name + "/" + strings.Join(segments, "/")
	if version != "" {
		s += "?versionId=" + url.QueryEscape(version)
	}
	return &s
}

// Delete implements API.
func (b *s3Bucket) Delete(ctx context.Context, in DeleteRequest) error {
	ctx, a := b.change(ctx, "Delete", in.Key)
	_, err := b.meta.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &in.Key, IfMatch: quoted(in.IfMatch)})
	if err != nil {
		return a.fail(ctx, err)
	}
	return nil
}

// DeleteVersion implements API.
func (b *s3Bucket) DeleteVersion(ctx context.Context, key, version string) error {
	ctx, a := b.change(ctx, "DeleteVersion", key)
	_, err := b.meta.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key, VersionId: &version})
	if err == nil {
		return nil
	}
	if failed := a.fail(ctx, err); !errors.Is(failed, ErrNotFound) {
		return failed
	}
	return nil
}
