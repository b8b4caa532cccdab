package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
	"github.com/latchfs/latchfs/lockmgr/s3table"
)

// Lock table backends, as in --lock and in bucket.json.
const (
	backendDynamo = "dynamodb"
	backendS3     = "s3"
)

// A lockSpec names a lock table: dynamodb:TABLE or s3:BUCKET.
type lockSpec struct{ Backend, Table string }

func (l lockSpec) String() string { return l.Backend + ":" + l.Table }

// where names the place that the table is asked at, for errors.
func (l lockSpec) where(r *reach) string {
	if l.Backend == backendDynamo {
		if r.DynamoDBEndpoint == "" {
			return "AWS region " + r.Region
		}
		return r.DynamoDBEndpoint
	}
	return r.where()
}

func (l lockSpec) endpointFlag() string {
	if l.Backend == backendDynamo {
		return "--dynamodb-endpoint-url"
	}
	return "--endpoint-url"
}

// DynamoDB's rule for table names.
var tableName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

func parseLock(s string) (lockSpec, error) {
	backend, table, _ := strings.Cut(s, ":")
	l := lockSpec{backend, table}
	switch {
	case backend == backendDynamo && tableName.MatchString(table):
		return l, nil
	case backend == backendS3 && bucketName.MatchString(table):
		return l, nil
	}
	return l, usagef("--lock %q names no lock table: write dynamodb:TABLE or s3:BUCKET", s)
}

// table gives the lock table of that name; nothing is sent yet.
func (r *reach) table(ctx context.Context, l lockSpec) (lockmgr.Table, error) {
	switch l.Backend {
	case backendDynamo:
		return dynamo.Open(ctx, dynamo.Config{Table: l.Table, Region: r.Region, Endpoint: r.DynamoDBEndpoint,
			Profile: r.Profile, AccessKey: r.AccessKey, SecretKey: r.SecretKey})
	case backendS3:
		return s3table.Open(ctx, s3table.Config{Bucket: l.Table, Region: r.Region, Endpoint: r.Endpoint,
			Profile: r.Profile, PathStyle: r.PathStyle, AccessKey: r.AccessKey, SecretKey: r.SecretKey})
	}
	return nil, fmt.Errorf("the bucket's lock table is of kind %q, which this version does not know: upgrade latchfs", l.Backend)
}

// defaultTiming are the times of a new table of this kind (LOCKS P1).
func (l lockSpec) defaultTiming(src source) lockmgr.Timing {
	switch {
	case src.Local != "":
		return s3table.LocalTiming
	case l.Backend == backendS3:
		return s3table.DefaultTiming
	}
	return dynamo.DefaultTiming
}
