package integration

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/internal/iam"
)

// neededBy gives the actions that a request needs, as the services document it.
func neededBy(r *http.Request) []string {
	if _, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return []string{"dynamodb:" + name}
	}
	q := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	version := ""
	if q.Has("versionId") {
		version = "Version"
	}
	if key == "" {
		for query, action := range map[string]string{"versioning": "s3:GetBucketVersioning", "object-lock": "s3:GetBucketObjectLockConfiguration",
			"uploads": "s3:ListBucketMultipartUploads", "versions": "s3:ListBucketVersions"} {
			if q.Has(query) {
				return []string{action}
			}
		}
		return []string{"s3:ListBucket"}
	}
	var all []string
	switch {
	case q.Has("tagging"):
		return []string{"s3:GetObject" + version + "Tagging"}
	case r.Method == http.MethodGet && strings.HasPrefix(key, ".latchfs/probe/"): // nothing is there
		return []string{"s3:GetObject" + version, "s3:ListBucket"}
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return []string{"s3:GetObject" + version}
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		return []string{"s3:AbortMultipartUpload"}
	case r.Method == http.MethodDelete:
		all = []string{"s3:DeleteObject" + version}
	default:
		all = []string{"s3:PutObject"}
	}
	if r.Header.Get("X-Amz-Tagging") != "" {
		all = append(all, "s3:PutObjectTagging")
	}
	if r.Header.Get("If-Match") != "" {
		all = append(all, "s3:GetObject")
	}
	return all
}

// withoutAction denies what needs an action on a resource.
func withoutAction(b *harness.Bucket, a iam.Action) func(*http.Request) harness.Fault {
	locks := a.On == iam.LockBucket || a.On == iam.LockObjects
	return func(r *http.Request) harness.Fault {
		bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if a.On != iam.LockTable && locks != (bucket == b.Name+"-locks") || !slices.Contains(neededBy(r), a.Name) {
			return harness.Pass
		}
		return harness.Denied
	}
}

// A role that lacks one action is told exactly that one, whichever it is; all actions are tried
// but those that change something, or need objects that are not there.
func TestDoctorPermissions(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	untried := map[string]bool{}
	for _, a := range iam.Actions() {
		untried[a.Name] = true
	}
	for name, lock := range map[string]harness.Lock{"s3": harness.OnS3, "dynamodb": harness.OnDynamoDB} {
		b := e.Bucket(lock, harness.Patient)
		p := b.Proxy()
		through := b.Through(p.URL)
		inject := map[bool]func(func(*http.Request) harness.Fault){false: p.Inject}
		if lock == harness.OnDynamoDB {
			locks := b.LockProxy()
			through = through.LocksThrough(locks.URL)
			inject[true] = locks.Inject
		}
		for _, l := range doctor(through).lines {
			delete(untried, l.Action)
		}
		resources := []iam.Resource{iam.Bucket, iam.Objects, iam.LockBucket, iam.LockObjects}
		if lock == harness.OnDynamoDB {
			resources = []iam.Resource{iam.LockTable} // the others are the same
		}
		for _, a := range iam.On(resources...) {
			if untried[a.Name] || a.For == iam.Init && a.Service() == "s3" {
				continue
			}
			t.Run(name+" "+a.Name+" "+map[bool]string{true: "of locks", false: ""}[a.On == iam.LockBucket || a.On == iam.LockObjects], func(t *testing.T) {
				inject[a.On == iam.LockTable](withoutAction(b, a))
				defer inject[a.On == iam.LockTable](nil)
				checkMissing(t, doctor(through.For(t)), a)
			})
		}
	}
	want := []string{"dynamodb:CreateTable", "dynamodb:UpdateTimeToLive", "kms:Decrypt", "kms:GenerateDataKey",
		"s3:CreateBucket", "s3:DeleteObjectVersionTagging", "s3:GetLifecycleConfiguration", "s3:GetObjectAnnotation",
		"s3:PutBucketVersioning", "s3:PutLifecycleConfiguration", "s3:PutObjectAnnotation", "s3:PutObjectVersionTagging"}
	if got := slices.Sorted(maps.Keys(untried)); !slices.Equal(got, want) {
		t.Errorf("not tried: %q, want %q", got, want)
	}
}

func checkMissing(t *testing.T, r doctorReport, a iam.Action) {
	t.Helper()
	check, status := "permission", "warn"
	if a.On != iam.Bucket && a.On != iam.Objects {
		check = "lock-permission"
	}
	if a.Essential() {
		status = "fail"
	}
	var missing []string
	for _, l := range r.lines {
		if l.Action == "" || l.Status == "ok" {
			continue
		}
		if strings.HasPrefix(l.Found, "missing") {
			missing = append(missing, l.Check+" "+l.Action+" "+l.Status)
			if !strings.HasPrefix(l.Advice, "allow "+a.Name+" on arn:aws:") {
				t.Errorf("advice %q", l.Advice)
			}
		} else if l.Status != "warn" || !strings.HasPrefix(l.Found, "not known: what would show it is refused") {
			t.Errorf("%+v", l)
		}
	}
	if want := check + " " + a.Name + " " + status; len(missing) != 1 || missing[0] != want {
		t.Errorf("missing %q, want %q\n%s", missing, want, r.Out)
	}
}

// Keys that are wrong are told as such, and not as a list of missing actions.
func TestDoctorWrongKeys(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	for _, variable := range []string{"AWS_SECRET_ACCESS_KEY=wrong", "AWS_ACCESS_KEY_ID=AKIANOBODY"} {
		o := latchfsWith(b, variable, doctorArgs(b, "")...)
		if o.Code != 1 || strings.Count(o.Out, "\n") != 2 || !strings.Contains(o.Out, "credentials") {
			t.Errorf("%s: exit code %d, %q\n%s", variable, o.Code, o.Err, o.Out)
		}
	}
}

// What a server does not implement is no missing permission.
func TestDoctorNotImplemented(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	p.Inject(func(r *http.Request) harness.Fault {
		if q := r.URL.Query(); q.Has("uploads") || q.Has("tagging") || q.Has("object-lock") {
			return harness.Unknown
		}
		return harness.Pass
	})
	r := doctor(b.Through(p.URL))
	r.wants(t, "stray-uploads", "warn", "does not implement it")
	r.wants(t, "object-lock", "ok", "no default rule")
	unknown := map[string]bool{}
	for _, l := range r.lines {
		unknown[l.Action] = l.Status == "warn" && strings.Contains(l.Found, "does not implement")
	}
	for _, a := range []string{"s3:ListBucketMultipartUploads", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"} {
		if !unknown[a] {
			t.Errorf("%s: not told\n%s", a, r.Out)
		}
	}
	if r.Code != 0 {
		t.Errorf("exit code %d", r.Code)
	}
}
