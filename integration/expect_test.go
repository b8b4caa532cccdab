package integration

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

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

// contents gives the content of each version of a key, oldest first.
func contents(e *harness.Env, b *harness.Bucket, key string) []string {
	e.Helper()
	var all []string
	for _, v := range b.VersionsOf(key) {
		body, err := b.S3.Get(e.Timeout(time.Minute), key, v.ID)
		e.Must(err)
		all = append(all, string(body))
	}
	return all
}

// contentNow gives the content of a key, "" where there is no object.
func contentNow(e *harness.Env, b *harness.Bucket, key string) string {
	e.Helper()
	body, err := b.S3.Get(e.Timeout(time.Minute), key, "")
	if err != nil && !harness.NotFound(err) {
		e.Fatal(err)
	}
	return string(body)
}

// keptIn gives the content of each file that was kept beside a file: kind is "conflict" or
// "recovered".
func keptIn(e *harness.Env, b *harness.Bucket, name, kind string) []string {
	e.Helper()
	var all []string
	for _, key := range b.KeysBelow(name + "." + kind + "-") {
		all = append(all, b.Content(key))
	}
	return all
}

// suspendVersions makes a bucket keep no versions from now on.
func suspendVersions(e *harness.Env, b *harness.Bucket) {
	e.Helper()
	_, err := b.S3.PutBucketVersioning(e.Timeout(time.Minute), &s3.PutBucketVersioningInput{Bucket: &b.Name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}})
	e.Must(err)
}
