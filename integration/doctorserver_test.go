package integration

import (
	"net/http"
	"slices"
	"testing"

	"github.com/latchfs/latchfs/integration/harness"
)

// tried is doctor with the probe of the server.
func tried(b *harness.Bucket) doctorReport {
	b.Helper()
	r := doctorReport{Output: b.Latchfs(doctorArgs(b, "--json", "")...)}
	r.read(b)
	return r
}

// A server that ignores conditions is told as one, with what a mount makes of it, and nothing of the
// probe is left, though the server keeps no condition.
func TestDoctorServer(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	before := everything(b)
	for _, c := range []struct {
		ignored              harness.Conditions
		check, status, says  string
		lockStatus, lockSays string
	}{
		{harness.OnPut, "server-put-conditions", "fail", "--read-only", "fail", "two hosts could hold one lock"},
		{harness.OnComplete, "server-complete-conditions", "warn", "EFBIG", "ok", ""},
		{harness.OnDelete, "server-delete-conditions", "fail", "--accept-degraded", "ok", ""},
		{harness.OnCopy, "server-copy-conditions", "warn", "by other requests", "ok", ""},
	} {
		server := e.StrippingServer(b.Server(), c.ignored)
		r := tried(b.Through(server.URL))
		r.wants(t, "server", "ok", "was tried, with racers")
		r.wants(t, c.check, c.status, c.says)
		r.wants(t, "lock-server-put-conditions", c.lockStatus, c.lockSays)
		r.wants(t, "probe-leftovers", "ok", "none")
		if (r.Code == 1) != (c.status == "fail") {
			t.Errorf("%s: exit code %d", c.check, r.Code)
		}
	}
	if after := everything(b); !slices.Equal(before, after) {
		t.Errorf("it left %q, and there was %q", after, before)
	}
}

// Where what a probe writes could not be removed again nothing is written.
func TestDoctorWritesNothingThatStays(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	locked := e.NoBucket(harness.OnDynamoDB, harness.Patient)
	retaining(locked, locked.Name)
	locked.Init()
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	for name, c := range map[string]struct {
		b    *harness.Bucket
		deny bool
		says string
	}{"retention": {locked, false, "see object-lock"}, "no right": {b, true, "see s3:DeleteObjectVersion"}} {
		p := c.b.Proxy()
		p.Inject(func(r *http.Request) harness.Fault {
			if c.deny && r.Method == http.MethodDelete && r.URL.Query().Has("versionId") {
				return harness.Denied
			}
			return harness.Pass
		})
		before := everything(c.b)
		tried(c.b.Through(p.URL)).wants(t, "server", "warn", c.says)
		if after := everything(c.b); !slices.Equal(before, after) {
			t.Errorf("%s: it left %q, and there was %q", name, after, before)
		}
		landed := func(r harness.Request) bool {
			return r.Method == http.MethodPut && r.Status == http.StatusOK || r.Method == http.MethodPost
		}
		if wrote := p.Seen(landed); len(wrote) > 0 {
			t.Errorf("%s: it wrote %+v", name, wrote)
		}
	}
}
