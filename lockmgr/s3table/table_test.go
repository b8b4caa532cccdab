package s3table_test

import (
	"cmp"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/s3table"
	"github.com/latchfs/latchfs/lockmgr/tabletest"
)

// TestS3Table runs the suite on the server of LATCHFS_TEST_S3, with the keys of the AWS_
// variables where they are set.
func TestS3Table(t *testing.T) {
	endpoint := os.Getenv("LATCHFS_TEST_S3")
	if endpoint == "" {
		t.Fatal("LATCHFS_TEST_S3 is not set: run make test, which starts the servers")
	}
	tabletest.Run(t, func(t *testing.T) func() lockmgr.Table {
		bucket := "locks-" + strings.ToLower(rand.Text())
		return func() lockmgr.Table {
			tab, err := s3table.Open(t.Context(), s3table.Config{Bucket: bucket, Region: "us-east-1", Endpoint: endpoint, PathStyle: true,
				AccessKey: cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), "AKIAIOSFODNN7EXAMPLE"),
				SecretKey: cmp.Or(os.Getenv("AWS_SECRET_ACCESS_KEY"), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")})
			if err != nil {
				t.Fatal(err)
			}
			return tab
		}
	})
}
