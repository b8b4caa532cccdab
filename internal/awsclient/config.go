// Package awsclient is how every client of S3 and DynamoDB here is set up: where its region
// and credentials come from, and how its requests are carried.
package awsclient

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// DefaultRegion signs requests where no region is known: a server that is not AWS rarely
// cares, but a signature needs one.
const DefaultRegion = "us-east-1"

// Access says who asks. Empty fields are left to the SDK's own sources: environment, shared
// configuration, instance role.
type Access struct {
	Region, Profile      string
	AccessKey, SecretKey string
	// Credentials, if set, are those of another client, to be shared with it.
	Credentials *Credentials
	// Log is told when the credentials are of no use any more; nil discards.
	Log *slog.Logger
}

// Config reads the SDK's configuration. It sends nothing, and fails if a file of the
// configuration cannot be read or does not have the profile. The region may be empty. Its
// credentials are Credentials.
func Config(ctx context.Context, a Access) (aws.Config, error) {
	cfg, err := load(ctx, a)
	if err != nil {
		return cfg, err
	}
	if a.Credentials == nil {
		a.Credentials = &Credentials{access: a, log: cmp.Or(a.Log, slog.New(slog.DiscardHandler)), now: cfg.Credentials}
	}
	cfg.Credentials = a.Credentials
	return cfg, nil
}

func load(ctx context.Context, a Access) (aws.Config, error) {
	// Whatever matters comes back as an error. The sources of credentials log what they try.
	o := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if a.Region != "" {
		o = append(o, config.WithRegion(a.Region))
	}
	if a.Profile != "" {
		o = append(o, config.WithSharedConfigProfile(a.Profile))
	}
	if a.AccessKey != "" {
		o = append(o, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(a.AccessKey, a.SecretKey, "")))
	}
	cfg, err := config.LoadDefaultConfig(ctx, o...)
	if err != nil {
		return cfg, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	return cfg, nil
}

// Signing is Config for a client, which needs a region to sign requests: DefaultRegion
// where none is known.
func Signing(ctx context.Context, a Access) (aws.Config, error) {
	cfg, err := Config(ctx, a)
	if cfg.Region == "" {
		cfg.Region = DefaultRegion
	}
	return cfg, err
}
