package integration

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/integration/harness"
)

// equal and some are conditions for Env.Eventually.
func equal(got, want string) error {
	if got != want {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}

func some[T any](list []T, what string) error {
	if len(list) == 0 {
		return fmt.Errorf("no %s", what)
	}
	return nil
}

// createPlain makes a bucket as any tool would.
func createPlain(e *harness.Env, b *harness.Bucket) {
	e.Helper()
	_, err := b.S3.CreateBucket(e.Timeout(time.Minute), &s3.CreateBucketInput{Bucket: &b.Name})
	e.Must(err)
}

// emptyBucket removes all objects of an unversioned bucket.
func emptyBucket(e *harness.Env, c *harness.Client) {
	e.Helper()
	keys, err := c.Keys(e.Timeout(time.Minute), "")
	e.Must(err)
	for _, k := range keys {
		e.Must(c.Delete(e.Timeout(time.Minute), k))
	}
}
