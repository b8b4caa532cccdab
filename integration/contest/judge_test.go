package contest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/latchfs/latchfs/integration/harness"
)

var suite = harness.NewSuite(nil)

func TestMain(m *testing.M) { suite.Main(m) }

// Both judges see what a host does that writes as if conditions did not count, and say nothing of one
// that does the same in the right order.
func TestJudges(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	local, err := suite.S3()
	e.Must(err)
	b := e.NoBucketOn(local, harness.OnS3, harness.Patient)
	ctx := e.Timeout(time.Minute)
	_, err = b.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b.Name})
	e.Must(err)
	_, err = b.S3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &b.Name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	e.Must(err)

	for _, tt := range []struct {
		job   Job
		write func(ctx context.Context, c *harness.Client, key, etag string) error
	}{
		{Count, func(ctx context.Context, c *harness.Client, key, etag string) error {
			_, err := c.PutIfMatch(ctx, key, []byte("start\nhost 1\n"), etag)
			return err
		}},
		{Unlink, func(ctx context.Context, c *harness.Client, key, etag string) error {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.Bucket, Key: &key, IfMatch: aws.String(etag)})
			return err
		}},
	} {
		for _, seen := range []bool{true, false} {
			// The host acts on what it has read before or after the foreign line came.
			proxy := b.Through(e.StrippingServer(local, harness.OnEverything).URL).Proxy()
			host := harness.NewClient(harness.Endpoint{URL: proxy.URL, AccessKey: local.AccessKey, SecretKey: local.SecretKey}, b.Name)
			writer := &foreign{c: b.S3, job: tt.job}
			key := string(tt.job) + "/" + first
			e.Must(b.S3.Put(ctx, key, "start\n"))
			_, etag, err := writer.read(ctx, key)
			e.Must(err)
			line := "foreign 1\n"
			if ok, err := writer.add(ctx, line); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if seen {
				_, etag, err = writer.read(ctx, key)
				e.Must(err)
			}
			e.Must(tt.write(ctx, host, key, etag))

			e.Eventually(time.Minute, func() error { // the proxy notes an answer after it has passed it on
				if n := len(proxy.Seen(changes)); n != 1 {
					return fmt.Errorf("the proxy has seen %d changes", n)
				}
				return nil
			})
			wrong, err := blind(ctx, b.S3, tt.job, proxy.Seen(changes))
			e.Must(err)
			if len(wrong) > 0 == seen {
				t.Errorf("%s: seen %t, blind changes %q", tt.job, seen, wrong)
			}
			missing, err := lost(ctx, b.S3, tt.job, []string{"start\n", line})
			e.Must(err)
			if want := []string{line}; tt.job == Count && !slices.Equal(missing, want) {
				t.Errorf("lost are %q, want %q", missing, want)
			}
			e.Must(b.S3.Put(ctx, key+".conflict-a", line))
			if missing, err = lost(ctx, b.S3, tt.job, []string{line}); err != nil || len(missing) > 0 {
				t.Errorf("in a conflict file and yet lost: %q, %v", missing, err)
			}
			e.Must(b.S3.Delete(ctx, key+".conflict-a"))
		}
	}
}
