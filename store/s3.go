package store

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/latchfs/latchfs/internal/awsclient"
)

// S3Config tells DialS3 where the bucket is. Empty fields are left to the SDK's own
// sources: environment, profile, instance role.
type S3Config struct {
	Bucket, Region, Endpoint, Profile string
	PathStyle                         bool
	AccessKey, SecretKey              string
	// Credentials, if set, are shared with other clients.
	Credentials *awsclient.Credentials
}

// s3Bucket is the API of a real bucket.
type s3Bucket struct {
	name, region string
	// data moves the bytes of objects, meta does everything else: each has connections of its
	// own, so that neither waits for the other.
	data, meta  *s3.Client
	credentials *awsclient.Credentials
	server      atomic.Pointer[string] // of the latest answer
	skew        atomic.Pointer[time.Duration]
}

var _ API = (*s3Bucket)(nil)

// DialS3 prepares access to a bucket; nothing is sent to it. It fails if the SDK's
// configuration cannot be read.
func DialS3(ctx context.Context, c S3Config) (API, error) {
	cfg, err := awsclient.Signing(ctx, awsclient.Access{Region: c.Region, Profile: c.Profile, AccessKey: c.AccessKey, SecretKey: c.SecretKey, Credentials: c.Credentials})
	if err != nil {
		return nil, err
	}
	b := &s3Bucket{name: c.Bucket, region: cfg.Region, credentials: cfg.Credentials.(*awsclient.Credentials)}
	client := func() *s3.Client {
		return s3.NewFromConfig(cfg, func(o *s3.Options) {
			// A retry by the SDK turns a lost reply into a false 412 (LOCKS P4).
			o.Retryer = aws.NopRetryer{}
			o.Credentials = s3Credentials{b.credentials}
			o.HTTPClient = s3Answers{awsclient.HTTP(cfg), &b.server, &b.skew}
			o.UsePathStyle = c.PathStyle
			// Bodies carry the CRC-32C that their author computed; anything else would be a
			// second pass over the bytes.
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
			// Expect: 100-continue costs a round trip for every body of 2 MiB or more.
			o.ContinueHeaderThresholdBytes = -1
			if c.Endpoint != "" {
				o.BaseEndpoint = aws.String(c.Endpoint)
			}
		})
	}
	b.data, b.meta = client(), client()
	return b, nil
}

// s3Credentials marks the failures of what looks for credentials.
type s3Credentials struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider. Its error is a *credentialsError.
func (c s3Credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = &credentialsError{err}
	}
	return got, err
}

// A credentialsError says that no credentials could be had. The instance's role or the login service
// may answer later; else a *awsclient.CredentialsError is in it.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "get credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// s3Headers is the option of an operation that sets headers, which then stand in the
// request exactly as given.
func s3Headers(h http.Header) func(*s3.Options) {
	return func(o *s3.Options) {
		for name := range h {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(name, h.Get(name)))
		}
	}
}
