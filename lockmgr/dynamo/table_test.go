package dynamo_test

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
	"github.com/latchfs/latchfs/lockmgr/tabletest"
)

// TestDynamoTable runs the suite on every server of LATCHFS_TEST_DYNAMODB. One of them
// should answer a failed condition without the old item, and one with it, as AWS does.
func TestDynamoTable(t *testing.T) {
	env := os.Getenv("LATCHFS_TEST_DYNAMODB")
	if env == "" {
		t.Fatal("LATCHFS_TEST_DYNAMODB is not set: run make test, which starts the servers")
	}
	for _, endpoint := range strings.Split(env, ",") {
		t.Run(endpoint, func(t *testing.T) {
			tabletest.Run(t, func(t *testing.T) func() lockmgr.Table {
				name := "locks-" + rand.Text()
				return func() lockmgr.Table {
					tab, err := dynamo.Open(t.Context(), dynamo.Config{Table: name, Region: "us-east-1", Endpoint: endpoint,
						AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"})
					if err != nil {
						t.Fatal(err)
					}
					return tab
				}
			})
		})
	}
}
