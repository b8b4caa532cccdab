package integration

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
	"github.com/latchfs/latchfs/lockmgr/s3table"
	"github.com/latchfs/latchfs/lockmgr/tabletest"
)

// The lock tables of both kinds keep what the lock manager relies on: on a DynamoDB that
// answers a failed condition with the old item, as AWS does, on one that does not, and
// on the S3 server.
func TestLockTables(t *testing.T) {
	t.Parallel()
	onDynamo := func(server func() (harness.Endpoint, error)) func(*testing.T) func() lockmgr.Table {
		return func(t *testing.T) func() lockmgr.Table {
			e, err := server()
			if err != nil {
				t.Fatal(err)
			}
			c := dynamo.Config{Table: "locks-" + rand.Text(), Region: "us-east-1", Endpoint: e.URL,
				AccessKey: e.AccessKey, SecretKey: e.SecretKey}
			return func() lockmgr.Table {
				tab, err := dynamo.Open(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				return tab
			}
		}
	}
	onS3 := func(t *testing.T) func() lockmgr.Table {
		e, err := suite.S3()
		if err != nil {
			t.Fatal(err)
		}
		c := s3table.Config{Bucket: "locks-" + strings.ToLower(rand.Text()), Region: "us-east-1", Endpoint: e.URL,
			PathStyle: true, AccessKey: e.AccessKey, SecretKey: e.SecretKey}
		return func() lockmgr.Table {
			tab, err := s3table.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			return tab
		}
	}
	t.Run("ministack", func(t *testing.T) { tabletest.Run(t, onDynamo(suite.DynamoDB)) })
	t.Run("dynalite", func(t *testing.T) { tabletest.Run(t, onDynamo(suite.Dynalite)) })
	t.Run("s3", func(t *testing.T) { tabletest.Run(t, onS3) })
}
