package integration

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/latchfs/latchfs/integration/harness"
)

// TestLifecycle shows and sets rules on a server that has them, beside rules of somebody else.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	server, err := e.Suite.DynamoDB() // which serves S3 too
	e.Must(err)
	b := e.NoBucketOn(server, harness.OnS3, harness.Patient)
	createPlain(e, b)
	foreign := []types.LifecycleRule{
		{ID: aws.String("logs"), Status: types.ExpirationStatusEnabled, Expiration: &types.LifecycleExpiration{Days: aws.Int32(365)},
			Filter:      &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: aws.String("logs/"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}},
			Transitions: []types.Transition{{Days: aws.Int32(30), StorageClass: types.TransitionStorageClassGlacier}}},
		{ID: aws.String("old"), Status: types.ExpirationStatusDisabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("old/")},
			NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(9), NewerNoncurrentVersions: aws.Int32(2)}},
	}
	_, err = b.S3.PutBucketLifecycleConfiguration(e.Timeout(time.Minute), &s3.PutBucketLifecycleConfigurationInput{Bucket: &b.Name,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: foreign}})
	e.Must(err)

	run := func(b *harness.Bucket, args ...string) harness.Output {
		t.Helper()
		return b.Latchfs(append(append([]string{"lifecycle"}, args...), b.ConnectionFlags()...)...)
	}
	if o := run(b, "set", b.Source(), "--expire-versions", "90d"); o.Code != 1 || !strings.Contains(o.Err, "removes for good, once a day, each version 90d after it was replaced or deleted") ||
		!strings.Contains(o.Err, "labels do not keep a version") || !strings.Contains(o.Err, "--yes") {
		t.Errorf("without a terminal: exit code %d, %q", o.Code, o.Err)
	}
	if o := run(b, "show", b.Source()); o.Code != 0 || strings.Contains(o.Out, "latchfs-") || !strings.Contains(o.Out, "logs/*, tag k=v") {
		t.Errorf("nobody said yes: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	for _, args := range [][]string{
		{"set", "--yes", b.Source(), "--expire-versions", "12w", "--keep-versions", "3"},
		{"set", b.Source(), "--abort-uploads=7d", "--yes"},
		{"set", "--yes", "--abort-uploads=7d", b.Source()},
	} {
		if o := run(b, args...); o.Code != 0 || !strings.Contains(o.Out, "latchfs-expire-versions  enabled   everything") {
			t.Errorf("%q: exit code %d\n%s%s", args, o.Code, o.Out, o.Err)
		}
	}
	o := run(b, "show", "--json", b.Source())
	if want := readText(t, "testdata/lifecycle.jsonl"); o.Out != want {
		t.Errorf("latchfs lifecycle show --json:\n%swant\n%s", o.Out, want)
	}
	// What is sent is what the SDK would send, as the service takes it, and of others nothing is lost.
	now, err := b.S3.GetBucketLifecycleConfiguration(e.Timeout(time.Minute), &s3.GetBucketLifecycleConfigurationInput{Bucket: &b.Name})
	e.Must(err)
	if len(now.Rules) != 4 || *now.Rules[0].Filter.And.Tags[0].Value != "v" || now.Rules[0].Transitions[0].StorageClass != types.TransitionStorageClassGlacier ||
		*now.Rules[1].NoncurrentVersionExpiration.NewerNoncurrentVersions != 2 || *now.Rules[2].NoncurrentVersionExpiration.NoncurrentDays != 84 ||
		!*now.Rules[2].Expiration.ExpiredObjectDeleteMarker || *now.Rules[3].AbortIncompleteMultipartUpload.DaysAfterInitiation != 7 {
		t.Errorf("the rules are %+v", now.Rules)
	}
	if o := run(b, "set", "--yes", "--abort-uploads=off", "--expire-versions=off", b.Source()); o.Code != 0 || strings.Contains(o.Out, "latchfs-") || !strings.Contains(o.Out, "logs") {
		t.Errorf("off: exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}

	// Two roles may look or set; a server has no rules at all.
	p := b.Proxy()
	denied := b.Through(p.URL)
	p.Inject(func(r *http.Request) harness.Fault {
		if r.URL.Query().Has("lifecycle") && r.Method == http.MethodPut {
			return harness.Denied
		}
		return harness.Pass
	})
	for _, c := range []struct {
		b    *harness.Bucket
		args []string
		code int
		says string
	}{
		{denied, []string{"set", "--yes", "--abort-uploads=7d", b.Source()}, 1, "allow s3:GetLifecycleConfiguration and s3:PutLifecycleConfiguration on arn:aws:s3:::" + b.Name},
		{e.Bucket(harness.OnS3, harness.Patient), []string{"show"}, 1, "has no lifecycle rules: latchfs prune removes old versions there"},
		{b, []string{"show", b.Source(), "--abort-uploads", "7d"}, 2, "goes with latchfs lifecycle set"},
		{b, []string{"list", b.Source()}, 2, "lifecycle list does not exist"},
		{b, []string{"set", b.Source()}, 2, "--expire-versions AGE, --abort-uploads AGE or both"},
		{b, []string{"set", b.Source() + "/a/", "--abort-uploads", "7d"}, 2, "write " + b.Source()},
		{b, []string{"set", b.Source(), "--abort-uploads", "0d"}, 2, "write 1d or more, or off"},
		{b, []string{"set", b.Source(), "--abort-uploads", "12h"}, 2, "whole days"},
		{b, []string{"set", b.Source(), "--expire-versions", "-3d"}, 2, "whole days"},
		{b, []string{"set", b.Source(), "--expire-versions", "101y"}, 2, "a hundred years"},
		{b, []string{"set", b.Source(), "--abort-uploads", "7d", "--keep-versions", "3"}, 2, "give --expire-versions AGE too"},
		{b, []string{"set", b.Source(), "--expire-versions", "7d", "--keep-versions", "101"}, 2, "from 1 to 100"},
	} {
		if !slices.ContainsFunc(c.args, func(a string) bool { return strings.HasPrefix(a, "s3://") }) {
			c.args = append(c.args, c.b.Source())
		}
		if o := run(c.b, c.args...); o.Code != c.code || !strings.Contains(o.Err, c.says) || !oneLine(o.Err) {
			t.Errorf("%q: exit code %d, %q", c.args, o.Code, o.Err)
		}
	}
}
