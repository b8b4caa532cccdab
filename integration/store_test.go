package integration

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/storetest"
)

// newBucket opens the S3 API for a bucket of the suite's server that does not exist yet.
func newBucket(t *testing.T) store.API {
	t.Helper()
	e, err := suite.S3()
	if err != nil {
		t.Fatal(err)
	}
	api, err := store.DialS3(t.Context(), store.S3Config{Bucket: "store-" + strings.ToLower(rand.Text()[:16]),
		Region: "us-east-1", Endpoint: e.URL, PathStyle: true, AccessKey: e.AccessKey, SecretKey: e.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// The requests that the store sends mean to the S3 server what they mean to the fake that
// all other tests use.
func TestStore(t *testing.T) {
	t.Parallel()
	// The server takes what it has no use for, as a folder on a disk, and forgets it.
	storetest.Run(t, newBucket, storetest.Options{Forgets: func(p *store.Props) {
		p.StorageClass, p.Encryption = "", ""
	}})
}
