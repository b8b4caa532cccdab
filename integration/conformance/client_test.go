package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// An s3Server is a running S3 server and a client of it, which sends everything once:
// each answer is what the server said.
type s3Server struct {
	endpoint, region, ak, sk string
	c                        *s3.Client
	ps                       *s3.PresignClient

	plain, ver, lock string // buckets: without versioning, with it, with object lock
}

func newS3Server(endpoint, region, ak, sk string) *s3Server {
	e := &s3Server{endpoint: endpoint, region: region, ak: ak, sk: sk}
	e.c = newS3Client(endpoint, region, ak, sk, 64)
	e.ps = s3.NewPresignClient(e.c)
	e.plain, e.ver, e.lock = "conf-plain", "conf-ver", "conf-lock"
	return e
}

func newS3Client(endpoint, region, ak, sk string, conns int) *s3.Client {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConnsPerHost = conns
	tr.MaxIdleConns = conns * 2
	return s3.New(s3.Options{
		Region:       region,
		BaseEndpoint: aws.String(endpoint),
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(ak, sk, ""),
		Retryer:      retry.AddWithMaxAttempts(retry.NewStandard(), 1),
		HTTPClient:   &http.Client{Transport: tr},
		DisableLogOutputChecksumValidationSkipped: true,
	})
}

func p[T any](v T) *T { return &v }

type putOpt func(*s3.PutObjectInput)

func (e *s3Server) put(ctx context.Context, b, k string, body []byte, o ...putOpt) (*s3.PutObjectOutput, error) {
	in := &s3.PutObjectInput{Bucket: &b, Key: &k, Body: bytes.NewReader(body)}
	for _, f := range o {
		f(in)
	}
	return e.c.PutObject(ctx, in)
}

func ifMatch(t string) putOpt { return func(i *s3.PutObjectInput) { i.IfMatch = &t } }

func ifNoneMatch(t string) putOpt { return func(i *s3.PutObjectInput) { i.IfNoneMatch = &t } }

func (e *s3Server) get(ctx context.Context, b, k string, o ...func(*s3.GetObjectInput)) ([]byte, *s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{Bucket: &b, Key: &k}
	for _, f := range o {
		f(in)
	}
	r, err := e.c.GetObject(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	defer r.Body.Close()
	d, err := io.ReadAll(r.Body)
	return d, r, err
}

func getVer(v string) func(*s3.GetObjectInput) {
	return func(i *s3.GetObjectInput) { i.VersionId = &v }
}

func (e *s3Server) head(ctx context.Context, b, k string) (*s3.HeadObjectOutput, error) {
	return e.c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b, Key: &k})
}

func (e *s3Server) del(ctx context.Context, b, k string) (*s3.DeleteObjectOutput, error) {
	return e.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b, Key: &k})
}

func (e *s3Server) is(ctx context.Context, b, k string, want []byte) error {
	d, _, err := e.get(ctx, b, k)
	if err != nil {
		return fmt.Errorf("get %q: %s", k, code(err))
	}
	if !bytes.Equal(d, want) {
		return fmt.Errorf("get %q: %d bytes, want %d; content differs", k, len(d), len(want))
	}
	return nil
}
