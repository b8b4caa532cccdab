// Package dynamo keeps the lock table in DynamoDB (LOCKS P1, P2): an on-demand table with
// the string hash key "p". Its items are C (the configuration), S#<sid> (a session) and
// L#<bucket id>\0<key> (a lock). It must not be
// a global table, unless that is strongly consistent: the others are last-writer-wins.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/latchfs/latchfs/internal/awsclient"
	"github.com/latchfs/latchfs/internal/awserr"
	"github.com/latchfs/latchfs/internal/count"
	"github.com/latchfs/latchfs/lockmgr"
)

// DefaultTiming are the times of a new table. A lock is free 50 s after its holder's death.
var DefaultTiming = lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}

// Config tells where the table is. Empty fields are left to the SDK's own sources:
// environment, profile, instance role.
type Config struct {
	Table, Region, Endpoint, Profile string
	AccessKey, SecretKey             string
	// Credentials, if set, are shared with other clients.
	Credentials *awsclient.Credentials
	// Transport, if set, carries all requests; for tests of what a network does to them.
	Transport http.RoundTripper
}

// A Table is a lock table in DynamoDB.
type Table struct {
	name string
	api  *dynamodb.Client
	// beats has connections of its own, so that heartbeats never wait for other requests.
	beats       *dynamodb.Client
	credentials *awsclient.Credentials
	requests    count.Counter

	mu sync.Mutex
	// delivered is the mail that the last answered beat of a session brought; the next one
	// removes it.
	delivered map[string][]string
}

var _ lockmgr.Table = (*Table)(nil)

// Open prepares access to the table; nothing is sent.
func Open(ctx context.Context, c Config) (*Table, error) {
	cfg, err := awsclient.Signing(ctx, awsclient.Access{Region: c.Region, Profile: c.Profile, AccessKey: c.AccessKey, SecretKey: c.SecretKey, Credentials: c.Credentials})
	if err != nil {
		return nil, err
	}
	client := func() *dynamodb.Client {
		return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
			// A retry by the SDK turns a lost reply into a failed condition, and its pauses
			// are not ours.
			o.Retryer = aws.NopRetryer{}
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
	return &Table{name: c.Table, api: client(), beats: client(), credentials: cfg.Credentials.(*awsclient.Credentials), delivered: make(map[string][]string)}, nil
}

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
	case code == "ResourceNotFoundException":
		kind = lockmgr.ErrNoTable
	case code == "ValidationException":
		kind = lockmgr.ErrForeignTable // other hash key than ours
	case none:
		kind = lockmgr.ErrNoCredentials
	case awserr.Denied(err):
		kind = lockmgr.ErrAccessDenied
	}
	return fmt.Errorf("lock table %s: %s: %w: %w", t.name, verb, kind, err)
}
