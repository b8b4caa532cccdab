package store

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Head implements API.
func (b *s3Bucket) Head(ctx context.Context, in HeadRequest) (Info, error) {
	ctx, a := b.read(ctx, "Head", in.Key)
	out, err := b.meta.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &in.Key, VersionId: given(in.Version)})
	if err != nil {
		return Info{}, a.failHead(ctx, err)
	}
	i, err := infoOf(in.Key, answerHeader(out.ResultMetadata))
	if err != nil {
		return Info{}, a.garbled("%w", err)
	}
	return i, nil
}

// Get implements API. The context covers the reading of the body too.
func (b *s3Bucket) Get(ctx context.Context, in GetRequest) (*Object, error) {
	ctx, a := b.read(ctx, "Get", in.Key)
	get := &s3.GetObjectInput{Bucket: &b.name, Key: &in.Key, VersionId: given(in.Version), IfMatch: quoted(in.IfMatch)}
	if in.Range != nil {
		get.Range = aws.String(in.Range.header())
	}
	out, err := b.data.GetObject(ctx, get)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	body := &s3Content{ReadCloser: out.Body, ctx: ctx, attempt: a}
	h := answerHeader(out.ResultMetadata)
	i, err := infoOf(in.Key, h)
	switch whole := in.Range != nil && answerStatus(out.ResultMetadata) == http.StatusOK && h.Get("Content-Range") == ""; {
	case err != nil:
	case whole && in.Range.Offset >= i.Size:
		out.Body.Close()
		return nil, &AttemptError{Op: a.op, Key: a.key, Fate: Refused, Err: fmt.Errorf("%w: the object has %d bytes", ErrBadRange, i.Size)}
	case whole:
		end := in.Range.end(i.Size)
		body.skip, body.left, body.longer = in.Range.Offset, end-in.Range.Offset, end < i.Size
	default:
		body.left, err = in.Range.length(i.Size, h.Get("Content-Range"))
	}
	if err != nil {
		out.Body.Close()
		return nil, a.garbled("%w", err)
	}
	return &Object{Info: i, Body: body}, nil
}

// header is the value of the Range header.
func (r Range) header() string {
	if r.Length < 0 {
		return fmt.Sprintf("bytes=%d-", r.Offset)
	}
	return fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1)
}

// end is where the range ends in an object of that size.
func (r Range) end(size int64) int64 {
	if r.Length < 0 {
		return size
	}
	return min(size, r.Offset+r.Length)
}

// length tells how many bytes of an object of that size the answer to the range has, and
// fails if it is the answer to something else.
func (r *Range) length(size int64, contentRange string) (int64, error) {
	if r == nil {
		return size, nil
	}
	end := r.end(size)
	want := fmt.Sprintf("bytes %d-%d/%d", r.Offset, end-1, size)
	if contentRange != want {
		return 0, fmt.Errorf("the answer's range is %q, not %q", contentRange, want)
	}
	return end - r.Offset, nil
}

// s3Content is the body of a GET. Its errors are *AttemptError, and it does not end
// before the last byte.
//
// A server, or a cache in between, that does not know ranges answers one with the whole object. Of that
// it gives the range; while it passes over what is before, its Read returns 0 and no error.
type s3Content struct {
	io.ReadCloser
	ctx     context.Context // of the request, which it is a part of
	attempt *s3Attempt
	skip    int64 // bytes before the range still to come
	left    int64 // bytes of the range still to come
	longer  bool  // others come after it
}

func (c *s3Content) Read(p []byte) (int, error) {
	switch {
	case c.skip > 0:
		p = p[:min(int64(len(p)), c.skip)]
	case c.longer && c.left == 0:
		return 0, io.EOF
	case c.longer:
		p = p[:min(int64(len(p)), c.left)]
	}
	n, err := c.ReadCloser.Read(p)
	if c.skip > 0 {
		c.skip, n = c.skip-int64(n), 0
	} else {
		c.left -= int64(n)
	}
	if err == io.EOF && c.skip+c.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		err = c.attempt.fail(c.ctx, err)
	}
	return n, err
}

// Tags implements API.
func (b *s3Bucket) Tags(ctx context.Context, key, version string) (string, error) {
	ctx, a := b.read(ctx, "Tags", key)
	out, err := b.meta.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &b.name, Key: &key, VersionId: given(version)},
		wantRoot("Tagging"))
	if err != nil {
		return "", a.fail(ctx, err)
	}
	tags := make([]string, len(out.TagSet))
	for i, t := range out.TagSet {
		tags[i] = escape(aws.ToString(t.Key)) + "=" + escape(aws.ToString(t.Value))
	}
	return strings.Join(tags, "&"), nil
}

// escape makes a part of x-amz-tagging or x-amz-copy-source. A space becomes %20, which
// every server understands; + not.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// List implements API.
func (b *s3Bucket) List(ctx context.Context, o ListOptions) (ListPage, error) {
	ctx, a := b.read(ctx, "List", o.Prefix)
	out, err := b.meta.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &b.name, Prefix: given(o.Prefix), Delimiter: given(o.Delimiter), ContinuationToken: given(o.Token),
		StartAfter: given(o.After), MaxKeys: maxKeys(o.Max), EncodingType: "url",
	}, wantRoot("ListBucketResult"))
	if err != nil {
		return ListPage{}, a.fail(ctx, err)
	}
	decode := keyDecoder(string(out.EncodingType))
	page := ListPage{Objects: make([]Info, len(out.Contents)), Prefixes: make([]string, len(out.CommonPrefixes))}
	for i, c := range out.Contents {
		key, err := decode(aws.ToString(c.Key))
		if err != nil {
			return ListPage{}, a.garbled("%w", err)
		}
		page.Objects[i] = Info{Key: key, ETag: unquote(aws.ToString(c.ETag)), Size: aws.ToInt64(c.Size),
			LastModified: wholeSeconds(aws.ToTime(c.LastModified)),
			Props:        Props{StorageClass: storageClass(string(c.StorageClass))}}
		if i := page.Objects[i]; i.Key == "" || i.ETag == "" || i.Size < 0 {
			return ListPage{}, a.garbled("the listing has an entry without key, ETag or size: %+v", i)
		}
	}
	for i, p := range out.CommonPrefixes {
		if page.Prefixes[i], err = decode(aws.ToString(p.Prefix)); err != nil {
			return ListPage{}, a.garbled("%w", err)
		}
	}
	if aws.ToBool(out.IsTruncated) {
		if page.Next = aws.ToString(out.NextContinuationToken); page.Next == "" {
			return ListPage{}, a.garbled("the listing is cut and does not say where")
		} else if page.Next == o.Token {
			return ListPage{}, a.garbled("the listing goes on where this page began")
		}
	}
	return page, nil
}

// maxKeys leaves 0 to the server, whose limit is 1000.
func maxKeys(n int) *int32 {
	if n <= 0 {
		return nil
	}
	return aws.Int32(int32(min(n, 1000)))
}

// keyDecoder undoes the encoding of keys in a listing, without which XML could not show
// control characters. A server that does not know it leaves the name of the encoding out.
func keyDecoder(encoding string) func(string) (string, error) {
	if encoding != "url" {
		return func(s string) (string, error) { return s, nil }
	}
	return func(s string) (string, error) {
		key, err := url.QueryUnescape(s)
		if err != nil {
			return "", fmt.Errorf("key %s of the listing: %w", strconv.Quote(s), err)
		}
		return key, nil
	}
}
