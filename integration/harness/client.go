package harness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// A Client is a plain S3 client that has never heard of latchfs: what it sees is what
// is in the bucket, and what it writes is foreign.
type Client struct {
	*s3.Client
	Bucket string
}

// NewClient makes a client of one bucket.
func NewClient(e Endpoint, bucket string) *Client {
	return &Client{Bucket: bucket, Client: s3.New(s3.Options{
		Region: Region, BaseEndpoint: aws.String(e.URL), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(e.AccessKey, e.SecretKey, ""),
	})}
}

// A Version is one version of a key.
type Version struct {
	ID   string
	ETag string
	Size int64
	Meta map[string]string
}

// Get reads the current object of a key; version "" is the current one.
func (c *Client) Get(ctx context.Context, key, version string) ([]byte, error) {
	in := &s3.GetObjectInput{Bucket: &c.Bucket, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	out, err := c.GetObject(ctx, in)
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// Head reads the current version of a key.
func (c *Client) Head(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	return c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.Bucket, Key: &key})
}

// Put writes a key without any condition.
func (c *Client) Put(ctx context.Context, key, content string) error {
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.Bucket, Key: &key, Body: strings.NewReader(content)})
	return err
}

// PutIfMatch writes a key unless another content than the one with that ETag is there;
// "" stands for no object. It tells whether the condition held.
func (c *Client) PutIfMatch(ctx context.Context, key string, content []byte, etag string) (bool, error) {
	in := &s3.PutObjectInput{Bucket: &c.Bucket, Key: &key, Body: bytes.NewReader(content)}
	if etag == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = &etag
	}
	_, err := c.PutObject(ctx, in)
	if api := smithy.APIError(nil); errors.As(err, &api) {
		switch api.ErrorCode() {
		case "PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey":
			return false, nil
		}
	}
	return err == nil, err
}

// Delete removes a key without any condition.
func (c *Client) Delete(ctx context.Context, key string) error {
	_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.Bucket, Key: &key})
	return err
}

// Keys lists the keys below a prefix, the reserved ones left out.
func (c *Client) Keys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	p := s3.NewListObjectsV2Paginator(c.Client, &s3.ListObjectsV2Input{Bucket: &c.Bucket, Prefix: &prefix})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			if !strings.HasPrefix(*o.Key, ".latchfs/") {
				keys = append(keys, *o.Key)
			}
		}
	}
	return keys, nil
}

// Versions lists the versions of a key that hold an object, oldest first, with their
// metadata.
func (c *Client) Versions(ctx context.Context, key string) ([]Version, error) {
	var found []Version
	p := s3.NewListObjectVersionsPaginator(c.Client, &s3.ListObjectVersionsInput{Bucket: &c.Bucket, Prefix: &key})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Versions {
			if *v.Key != key {
				continue
			}
			head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.Bucket, Key: &key, VersionId: v.VersionId})
			if err != nil {
				return nil, err
			}
			found = append([]Version{{*v.VersionId, *v.ETag, *v.Size, head.Metadata}}, found...)
		}
	}
	return found, nil
}

// WrittenBy tells which host wrote a version; "" is a foreign one.
func (v Version) WrittenBy() string {
	host, err := url.PathUnescape(v.Meta["latchfs-host"])
	if err != nil {
		return v.Meta["latchfs-host"]
	}
	return host
}

// NotFound tells whether an error says that there is no such object.
func NotFound(err error) bool {
	var status interface{ HTTPStatusCode() int }
	return errors.As(err, &status) && status.HTTPStatusCode() == http.StatusNotFound
}

// short is the time a single request of a test may take.
const short = 30 * time.Second

// Content is Get of the current object for tests in which it has to be there.
func (b *Bucket) Content(key string) string {
	b.Helper()
	body, err := b.S3.Get(b.Timeout(short), key, "")
	if err != nil {
		b.Fatalf("GET %s: %v", key, err)
	}
	return string(body)
}

// VersionsOf is Versions for tests in which it has to work.
func (b *Bucket) VersionsOf(key string) []Version {
	b.Helper()
	v, err := b.S3.Versions(b.Timeout(2*short), key)
	b.Must(err)
	return v
}

// KeysBelow is Keys for tests in which it has to work.
func (b *Bucket) KeysBelow(prefix string) []string {
	b.Helper()
	keys, err := b.S3.Keys(b.Timeout(short), prefix)
	b.Must(err)
	return keys
}
