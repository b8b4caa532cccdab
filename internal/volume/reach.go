package volume

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/internal/awsclient"
	"github.com/latchfs/latchfs/internal/localserver"
	"github.com/latchfs/latchfs/internal/shell"
	"github.com/latchfs/latchfs/store"
)

// credentialsTimeout bounds the search for credentials; where there are none at all the
// SDK asks the network for an instance's role last.
const credentialsTimeout = 15 * time.Second

// Access is how to reach the bucket and its lock table. Empty fields are left to the
// SDK: environment, shared configuration, instance role.
type Access struct {
	Region, Profile            string
	Endpoint, DynamoDBEndpoint string
	PathStyle                  bool
}

// A reach is how to reach one source and its lock table, with everything decided that
// Access left to the SDK.
type reach struct {
	Access
	AccessKey, SecretKey string                 // static, for an embedded server
	credentials          *awsclient.Credentials // of all clients; nil for an embedded server

	// dial reaches a bucket; nil is store.DialS3.
	dial func(ctx context.Context, c store.S3Config) (store.API, error)

	src   Source
	asked Access              // in the user's own words
	local *localserver.Server // nil for a source that is not local
}

// reachSource starts the embedded server of a local source; for others it asks the
// SDK's configuration for region and credentials, so that their absence is said in one
// line, once, and before anything is sent.
func reachSource(ctx context.Context, src Source, a Access, log *slog.Logger) (*reach, error) {
	if src.Local != "" {
		server, err := localserver.Open(ctx, src.Local, log)
		if err != nil {
			return nil, err
		}
		return &reach{
			Access:    Access{Region: server.Region, Endpoint: server.Endpoint(), PathStyle: true},
			AccessKey: server.AccessKey, SecretKey: server.SecretKey, src: src, local: server,
		}, nil
	}
	asked := a
	cfg, err := awsclient.Config(ctx, awsclient.Access{Region: a.Region, Profile: a.Profile, Log: log})
	if err != nil {
		return nil, explainConfig(err)
	}
	// The SDK knows of endpoints from its environment and configuration too.
	if a.Endpoint == "" {
		if e := s3.NewFromConfig(cfg).Options().BaseEndpoint; e != nil {
			a.Endpoint = *e
		}
	}
	if a.DynamoDBEndpoint == "" {
		if e := dynamodb.NewFromConfig(cfg).Options().BaseEndpoint; e != nil {
			a.DynamoDBEndpoint = *e
		}
	}
	if err := a.checkConfigured(asked); err != nil {
		return nil, err
	}
	if a.Region = cfg.Region; a.Region == "" {
		if a.Endpoint == "" {
			return nil, fmt.Errorf("no AWS region is configured: pass --region or set AWS_REGION, or --endpoint-url for another S3 server")
		}
		a.Region = awsclient.DefaultRegion
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, explainCredentials(ctx, err)
	}
	shared, _ := cfg.Credentials.(*awsclient.Credentials)
	return &reach{Access: a, credentials: shared, src: src, asked: asked}, nil
}

// bucket gives the bucket of that name; nothing is sent yet.
func (r *reach) bucket(ctx context.Context, name string, o store.Options) (*store.Client, error) {
	dial := r.dial
	if dial == nil {
		dial = store.DialS3
	}
	api, err := dial(ctx, store.S3Config{
		Bucket: name, Region: r.Region, Endpoint: r.Endpoint, Profile: r.Profile, PathStyle: r.PathStyle,
		AccessKey: r.AccessKey, SecretKey: r.SecretKey, Credentials: r.credentials,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return store.New(api, o), nil
}

// close ends the use of an embedded server.
func (r *reach) close() error {
	if r.local == nil {
		return nil
	}
	return r.local.Close()
}

// discard is close for a use that came to nothing.
func (r *reach) discard() error {
	if r.local == nil {
		return nil
	}
	return r.local.Discard()
}

// onAWS tells whether the bucket is on AWS itself.
func (r *reach) onAWS() bool { return r.Endpoint == "" }

// where names the place that the bucket is asked at, for errors.
func (r *reach) where() string {
	if r.onAWS() {
		return "AWS region " + r.Region
	}
	return shown(r.Endpoint)
}

// whereTable names the place that the lock table is asked at, for errors.
func (r *reach) whereTable(n TableName) string {
	if n.Backend != BackendDynamo {
		return r.where()
	}
	if r.DynamoDBEndpoint == "" {
		return "AWS region " + r.Region
	}
	return shown(r.DynamoDBEndpoint)
}

// shown is an endpoint as errors have it, which end up in the journal of whoever mounts: without its
// password.
func shown(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "an endpoint that is no URL"
	}
	return u.Redacted()
}

// initCommand is the exact command that makes the source mountable from here, with more flags if
// there are any. table is empty where the lock table is not known: off AWS the reader has to name it.
func (r *reach) initCommand(table string, flags ...string) string {
	words := append([]string{"latchfs", "init"}, flags...)
	if r.src.Local != "" {
		return shell.Join(append(words, r.src.String())...)
	}
	if table == "" && !r.onAWS() {
		table = r.newTable().String()
	}
	dynamo := r.asked.DynamoDBEndpoint
	if strings.HasPrefix(table, BackendS3+":") {
		dynamo = "" // init refuses it with such a table
	}
	asked := r.asked
	asked.DynamoDBEndpoint = dynamo
	words = append(words, asked.Flags()...)
	if table != "" {
		words = append(words, "--lock", table)
	}
	return shell.Join(append(words, "s3://"+r.src.Bucket)...)
}

// Flags are the flags of a command that say the same.
func (a Access) Flags() (words []string) {
	for _, f := range []struct{ name, value string }{
		{"--region", a.Region}, {"--endpoint-url", shown(a.Endpoint)},
		{"--dynamodb-endpoint-url", shown(a.DynamoDBEndpoint)}, {"--profile", a.Profile},
	} {
		if f.value != "" {
			words = append(words, f.name, f.value)
		}
	}
	if a.PathStyle {
		words = append(words, "--force-path-style")
	}
	return words
}

// newTable is the lock table to propose for a bucket that has none. Another server than AWS seldom
// has DynamoDB beside it: there it is a bucket on the same server, unless a DynamoDB was named.
func (r *reach) newTable() TableName {
	if r.onAWS() || r.DynamoDBEndpoint != "" {
		return TableName{BackendDynamo, "latchfs"}
	}
	return TableName{BackendS3, suffixed(r.src.Bucket, "-locks", maxBucketName)}
}

// suffixed adds a suffix to a name, which is cut if the whole would have more than most bytes.
func suffixed(name, suffix string, most int) string {
	return name[:min(len(name), most-len(suffix))] + suffix
}
