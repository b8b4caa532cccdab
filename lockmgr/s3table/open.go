// Package s3table keeps the lock table in an S3 bucket of its own (LOCKS P8), for stores
// without DynamoDB and for local mode. Every record is a small object that is only ever written
// under If-None-Match or If-Match, and removed under If-Match if at all; a fresh random value in every body makes every ETag
// unique, so that the ETag of a record names exactly one of its states.
package s3table

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/internal/awsclient"
	"github.com/latchfs/latchfs/internal/awserr"
	"github.com/latchfs/latchfs/internal/count"
	"github.com/latchfs/latchfs/lockmgr"
)

var (
	// DefaultTiming are the times of a new table on a service: a beat is a PUT and a LIST,
	// which cost more than DynamoDB's.
	DefaultTiming = lockmgr.Timing{Beat: 10 * time.Second, Lease: 60 * time.Second, Delay: 30 * time.Second}
	// LocalTiming are the times of the embedded server's table, where requests cost nothing
	// and everybody is on one machine.
	LocalTiming = lockmgr.Timing{Beat: 2 * time.Second, Lease: 15 * time.Second, Delay: 15 * time.Second}
)

// Config tells where the table is. Empty fields are left to the SDK's own sources.
type Config struct {
	Bucket, Region, Endpoint, Profile string
	PathStyle                         bool
	AccessKey, SecretKey              string
	// Credentials, if set, are shared with other clients.
	Credentials *awsclient.Credentials
	// Transport, if set, carries all requests; for tests of what a network does to them.
	Transport http.RoundTripper
}

// A Table is a lock table in a bucket.
type Table struct {
	bucket string
	region string
	api    *s3.Client
	// beats has connections of its own, so that heartbeats never wait for other requests.
	beats       *s3.Client
	credentials *awsclient.Credentials
	requests    count.Counter
	removes     atomic.Bool // see RemoveReleased

	mu sync.Mutex
	// sessions is what this table last knew of sessions it writes; locks likewise. Both only
	// save look-ups: a wrong entry costs one more request.
	sessions map[string]known[session]
	locks    map[string]known[lock]
}

// known is a record as it was last read or written, with its ETag.
type known[T any] struct {
	etag string
	rec  T
}

var _ lockmgr.Table = (*Table)(nil)

// Open prepares access to the table; nothing is sent.
func Open(ctx context.Context, c Config) (*Table, error) {
	cfg, err := awsclient.Signing(ctx, awsclient.Access{Region: c.Region, Profile: c.Profile, AccessKey: c.AccessKey, SecretKey: c.SecretKey, Credentials: c.Credentials})
	if err != nil {
		return nil, err
	}
	client := func() *s3.Client {
		return s3.NewFromConfig(cfg, func(o *s3.Options) {
			// A retry by the SDK turns a lost reply into a false 412.
			o.Retryer = aws.NopRetryer{}
			o.UsePathStyle = c.PathStyle
			// The records are small, checked as JSON and never multipart.
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
			if c.Transport != nil {
				o.HTTPClient = awsclient.Over(c.Transport)
			} else {
				o.HTTPClient = awsclient.HTTP(cfg)
			}
			if c.Endpoint != "" {
				o.BaseEndpoint = aws.String(c.Endpoint)
			}
		})
	}
	return &Table{bucket: c.Bucket, region: cfg.Region, api: client(), beats: client(), credentials: cfg.Credentials.(*awsclient.Credentials),
		sessions: make(map[string]known[session]), locks: make(map[string]known[lock])}, nil
}

// RemoveReleased lets a release remove the record of its lock, for a server that is known to judge
// If-Match on DELETE (store.DeleteConditions is not among its flaws). Whoever locks the key next
// then needs one request, and the bucket keeps no record of keys that nobody uses. Elsewhere a late
// DELETE would remove the lock of the next holder, so that a record without nonce is written.
// Hosts may differ in that.
func (t *Table) RemoveReleased() { t.removes.Store(true) }

// Requests implements lockmgr.Table.
func (t *Table) Requests() map[string]int64 { return t.requests.Snapshot() }

// explain gives an SDK error its meaning for the lock manager.
func (t *Table) explain(verb string, err error) error {
	if err == nil {
		return nil
	}
	kind := lockmgr.ErrUnavailable
	if awserr.InvalidCredentials(err) {
		// If others were found the next try has them.
		if none := t.credentials.Renew(err); none != nil {
			err = none
		}
	}
	_, none := errors.AsType[*awsclient.CredentialsError](err)
	switch code := awserr.Code(err); {
	case code == "NoSuchBucket":
		kind = lockmgr.ErrNoTable
	case none:
		kind = lockmgr.ErrNoCredentials
	case awserr.Denied(err):
		kind = lockmgr.ErrAccessDenied
	}
	return fmt.Errorf("lock bucket %s: %s: %w: %w", t.bucket, verb, kind, err)
}
