package volume

import (
	"regexp"
	"strings"

	"github.com/latchfs/latchfs/internal/localserver"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
	"github.com/latchfs/latchfs/lockmgr/s3table"
)

// Backends of lock tables, as in --lock and in bucket.json.
const (
	BackendDynamo = "dynamodb"
	BackendS3     = "s3"
)

// A TableName names a lock table: dynamodb:TABLE or s3:BUCKET.
type TableName struct{ Backend, Table string }

// String gives the form that ParseTableName reads.
func (n TableName) String() string { return n.Backend + ":" + n.Table }

// another proposes a name for a table that takes the place of this one.
func (n TableName) another() TableName {
	most := maxTableName
	if n.Backend == BackendS3 {
		most = maxBucketName
	}
	return TableName{n.Backend, suffixed(n.Table, "-2", most)}
}

// maxTableName is the most bytes that the name of a DynamoDB table has.
const maxTableName = 255

// DynamoDB's rule for table names.
var dynamoName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

// ParseTableName reads the value of --lock. It fails with a UsageError.
func ParseTableName(s string) (TableName, error) {
	backend, table, _ := strings.Cut(s, ":")
	n := TableName{backend, table}
	switch {
	case backend == BackendDynamo && dynamoName.MatchString(table):
		return n, nil
	case backend == BackendS3 && bucketName.MatchString(table):
		return n, nil
	case backend == BackendDynamo && table != "":
		return n, Usagef("--lock %q names no lock table: the name of a DynamoDB table has 3 to 255 letters, digits, underscores, dots and hyphens", s)
	case backend == BackendS3 && table != "":
		return n, Usagef("--lock %q names no lock table: the name of a bucket has 3 to 63 letters, digits, dots and hyphens", s)
	}
	return n, Usagef("--lock %q names no lock table: write dynamodb:TABLE or s3:BUCKET", s)
}

// localTable gives the lock table of every embedded server.
func localTable() TableName { return TableName{BackendS3, localserver.LocksBucket} }

// defaultTiming gives the times of a new table of this kind (LOCKS P1).
func (n TableName) defaultTiming(src Source) lockmgr.Timing {
	switch {
	case src.Local != "":
		return s3table.LocalTiming
	case n.Backend == BackendS3:
		return s3table.DefaultTiming
	}
	return dynamo.DefaultTiming
}

func (n TableName) endpointFlag() string {
	if n.Backend == BackendDynamo {
		return "--dynamodb-endpoint-url"
	}
	return "--endpoint-url"
}
