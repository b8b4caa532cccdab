package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/internal/awsclient"
	"github.com/latchfs/latchfs/internal/localserver"
	"github.com/latchfs/latchfs/store"
)

// credentialsTimeout bounds the search for credentials; where there are none at all the
// SDK asks the network for an instance's role last.
const credentialsTimeout = 15 * time.Second

// answerTimeout bounds the first request to a server: somebody waits for it, and what does
// not answer is most often an address with a mistake in it.
const answerTimeout = 10 * time.Second

// A reach is how to reach a bucket and its lock table, with everything settled that
// the command line left to the SDK.
type reach struct {
	connection
	AccessKey, SecretKey string // static, for an embedded server
	local                *localserver.Server
	asked                connection // the command line's own words
}

// reachSource starts the embedded server of a local source; for others it asks the
// SDK's configuration for region and credentials, so that their absence is said in one
// line, once, and before anything is sent.
func reachSource(ctx context.Context, src source, c connection, log *slog.Logger) (*reach, error) {
	if src.Local != "" {
		server, err := localserver.Open(ctx, src.Local, log)
		if err != nil {
			return nil, err
		}
		return &reach{
			connection: connection{Region: server.Region, Endpoint: server.Endpoint(), PathStyle: true},
			AccessKey:  server.AccessKey, SecretKey: server.SecretKey, local: server,
		}, nil
	}
	asked := c
	cfg, err := awsclient.Config(ctx, awsclient.Access{Region: c.Region, Profile: c.Profile})
	if err != nil {
		return nil, fmt.Errorf("%w: check --profile and ~/.aws/config", err)
	}
	// The SDK knows of endpoints from its environment and configuration too.
	if c.Endpoint == "" {
		if e := s3.NewFromConfig(cfg).Options().BaseEndpoint; e != nil {
			c.Endpoint = *e
		}
	}
	if c.DynamoDBEndpoint == "" {
		if e := dynamodb.NewFromConfig(cfg).Options().BaseEndpoint; e != nil {
			c.DynamoDBEndpoint = *e
		}
	}
	if c.Region = cfg.Region; c.Region == "" {
		if c.Endpoint == "" {
			return nil, fmt.Errorf("no AWS region is configured: pass --region or set AWS_REGION")
		}
		c.Region = awsclient.DefaultRegion
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or pass --profile (%w)", err)
	}
	return &reach{connection: c, asked: asked}, nil
}

// close ends the use of an embedded server.
func (r *reach) close() error {
	if r.local == nil {
		return nil
	}
	return r.local.Close()
}

// onAWS tells whether the bucket is on AWS itself.
func (r *reach) onAWS() bool { return r.Endpoint == "" }

// where names the place that was asked, for errors.
func (r *reach) where() string {
	if r.onAWS() {
		return "AWS region " + r.Region
	}
	return r.Endpoint
}

// initCommand is the exact command that makes the source mountable from here. Where the
// lock table is not known it has to be named by the reader.
func (r *reach) initCommand(src source, lock string) string {
	words := []string{"latchfs", "init"}
	if src.Local != "" {
		return strings.Join(append(words, src.String()), " ")
	}
	for _, f := range []struct{ name, value string }{
		{"--region", r.asked.Region}, {"--endpoint-url", r.asked.Endpoint},
		{"--dynamodb-endpoint-url", r.asked.DynamoDBEndpoint}, {"--profile", r.asked.Profile},
	} {
		if f.value != "" {
			words = append(words, f.name, f.value)
		}
	}
	if r.asked.PathStyle {
		words = append(words, "--force-path-style")
	}
	if lock == "" && !r.onAWS() {
		lock = "dynamodb:latchfs"
	}
	if lock != "" {
		words = append(words, "--lock", lock)
	}
	return strings.Join(append(words, "s3://"+src.Bucket), " ")
}

// bucket gives the client of the source's bucket.
func (r *reach) bucket(ctx context.Context, name, host string, log *slog.Logger) (*store.Client, error) {
	api, err := store.DialS3(ctx, store.S3Config{
		Bucket: name, Region: r.Region, Endpoint: r.Endpoint, Profile: r.Profile, PathStyle: r.PathStyle,
		AccessKey: r.AccessKey, SecretKey: r.SecretKey,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return store.New(api, store.Options{Host: host, Log: log}), nil
}

// checkBucket is the first request to the bucket: it is there and answers.
func checkBucket(ctx context.Context, b *store.Client) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return b.CheckBucket(ctx)
}
