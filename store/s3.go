package store

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/latchfs/latchfs/internal/sdkhttp"
)

const (
	// dialTimeout is short because a new connection is tried again at once: an attempt that
	// got none is unsent.
	dialTimeout = 5 * time.Second
	// idleTimeout is how long an unused connection is kept. A request on one that a
	// middle box has forgotten meanwhile has an unknown outcome, hence costs the quiet time.
	idleTimeout = 30 * time.Second
	// idleConnections is more than a mount's requests of one kind at the same time, so
	// that none dials because another just ended.
	idleConnections = 64
)

// s3Bucket is the API of a real bucket.
type s3Bucket struct {
	name, region string
	// data moves the bytes of objects, meta does everything else: each has connections of its
	// own, so that neither waits for the other.
	data, meta  *s3.Client
	credentials s3Credentials
}

var _ API = (*s3Bucket)(nil)

// DialS3 prepares access to a bucket; nothing is sent to it. It fails if the SDK's
// configuration cannot be read.
func DialS3(ctx context.Context, c S3Config) (API, error) {
	var o []func(*config.LoadOptions) error
	if c.Region != "" {
		o = append(o, config.WithRegion(c.Region))
	}
	if c.Profile != "" {
		o = append(o, config.WithSharedConfigProfile(c.Profile))
	}
	if c.AccessKey != "" {
		o = append(o, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, "")))
	}
	cfg, err := config.LoadDefaultConfig(ctx, o...)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	cfg.Logger = logging.Nop{} // whatever matters comes back as an error
	b := &s3Bucket{name: c.Bucket, region: cfg.Region, credentials: s3Credentials{cfg.Credentials}}
	client := func() *s3.Client {
		return s3.NewFromConfig(cfg, func(o *s3.Options) {
			// A retry by the SDK turns a lost reply into a false 412 (LOCKS P4).
			o.Retryer = aws.NopRetryer{}
			o.Credentials = b.credentials
			o.HTTPClient = s3HTTPClient(cfg.HTTPClient)
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

// s3HTTPClient makes a client with connections of its own from that of the configuration,
// which knows of proxies and AWS_CA_BUNDLE.
func s3HTTPClient(base aws.HTTPClient) *http.Client {
	buildable, ok := base.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	t := buildable.GetTransport()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	t.MaxIdleConns, t.MaxIdleConnsPerHost = idleConnections, idleConnections
	t.IdleConnTimeout = idleTimeout
	t.DisableCompression = true
	// HTTP/2 would carry all requests over one connection. To copy a Transport has set it up
	// for HTTP/2 already, hence all three.
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSNextProto = nil
	t.TLSClientConfig.NextProtos = nil
	// To follow a redirect would be a second attempt.
	return &http.Client{Transport: sdkhttp.Plain(t), CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
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

// refresh makes the next request look for credentials anew: those at hand have expired
// earlier than they said.
func (c s3Credentials) refresh() {
	if cache, ok := c.CredentialsProvider.(*aws.CredentialsCache); ok {
		cache.Invalidate()
	}
}

// A credentialsError says that no credentials could be had. The instance's role or
// the login service may answer later.
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
