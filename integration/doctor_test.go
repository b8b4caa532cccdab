package integration

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/latchfs/latchfs/integration/harness"
)

// Of what init made doctor has nothing to say, and it leaves the bucket as it was.
func TestDoctorHealthy(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]harness.Lock{"s3": harness.OnS3, "dynamodb": harness.OnDynamoDB} {
		t.Run(name, func(t *testing.T) {
			e := suite.New(t)
			b := e.Bucket(lock, harness.Patient)
			e.Must(b.S3.Put(e.Timeout(time.Minute), "a/b", "x"))
			before := everything(b)
			r := doctor(b)
			r.healthy(t)
			r.wants(t, "server", "ok", "and not now: --no-probe")
			r = tried(b)
			r.healthy(t)
			r.wants(t, "server", "ok", "was tried, with racers")
			r.wants(t, "server-put-conditions", "ok", "If-None-Match")
			if lock == harness.OnS3 {
				r.wants(t, "lock-server", "ok", "was tried, with racers")
			}
			r.wants(t, "lock-table", "ok", "beat 500ms, lease 15s, delay 15s")
			r.wants(t, "unnameable-keys", "ok", "none of 1 keys")
			if after := everything(b); !slices.Equal(before, after) {
				t.Errorf("it left %q, and there was %q", after, before)
			}
			o := b.Latchfs(doctorArgs(b, "--no-probe", "")...)
			lines := strings.Split(o.Out, "\n")
			if o.Code != 0 || !strings.HasPrefix(lines[0], "STATUS  CHECK") || !strings.HasPrefix(lines[1], "ok      bucket ") || len(lines) != len(r.lines)+2 {
				t.Errorf("as a table: exit code %d\n%s", o.Code, o.Out)
			}
		})
	}
}

// everything lists all versions in the bucket, the program's own too.
func everything(b *harness.Bucket) (all []string) {
	b.Helper()
	out, err := b.S3.ListObjectVersions(b.Timeout(time.Minute), &s3.ListObjectVersionsInput{Bucket: &b.Name})
	b.Must(err)
	for _, v := range out.Versions {
		all = append(all, *v.Key+" "+*v.VersionId)
	}
	for _, v := range out.DeleteMarkers {
		all = append(all, *v.Key+" deleted "+*v.VersionId)
	}
	return all
}

// Keys that a mount does not show, or not as other tools do, are listed.
func TestDoctorKeys(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	ctx := e.Timeout(time.Minute)
	long := "sub/" + strings.Repeat("n", 256)
	for _, key := range []string{"both", "both-1", "both/x", "dir/../f", "sub//a", long, "page/", "plain/", "plain/x", "sub/.versions", "\x01\"q\"//\n"} {
		content := "x"
		if key == "plain/" {
			content = ""
		}
		e.Must(b.S3.Put(ctx, key, content))
	}
	r := doctor(b)
	for check, want := range map[string][]string{
		"unnameable-keys":    {"\x01\"q\"//\n", "dir/../f", "sub//a", long},
		"markers-with-bytes": {"page/"},
		"file-and-directory": {"both"},
		"versions-names":     {"sub/.versions"},
	} {
		l := r.wants(t, check, "warn", "of 11 keys")
		if !slices.Equal(l.Keys, want) || l.Count != len(want) {
			t.Errorf("%s: %d, %q; want %q", check, l.Count, l.Keys, want)
		}
	}
	if r.Code != 0 {
		t.Errorf("warnings alone give exit code %d", r.Code)
	}
	below := doctor(b, "sub/")
	if l := below.wants(t, "unnameable-keys", "warn", "2 of 3 keys"); !slices.Equal(l.Keys, []string{"sub//a", long}) {
		t.Errorf("below a prefix: %q", l.Keys)
	}
	below.wants(t, "markers-with-bytes", "ok", "none of 3 keys")
	o := b.Latchfs(doctorArgs(b, "--no-probe", "")...)
	if !strings.Contains(o.Out, `"\x01\"q\"//\n", "dir/../f"`) || strings.Count(o.Out, "\n") != len(r.lines)+1 {
		t.Errorf("the table does not quote keys:\n%s", o.Out)
	}
}

// What a bucket lacks is said; where it is not there at all nothing else is.
func TestDoctorBucket(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	ctx := e.Timeout(time.Minute)
	missing := doctor(e.NoBucket(harness.OnS3, harness.Patient))
	missing.wants(t, "bucket", "fail", "latchfs init")
	if missing.Code != 1 || len(missing.lines) != 1 {
		t.Errorf("of a bucket that is not there: exit code %d\n%s", missing.Code, missing.Out)
	}

	plain := e.NoBucket(harness.OnS3, harness.Patient)
	createPlain(e, plain)
	r := doctor(plain)
	r.wants(t, "versioning", "warn", "off")
	r.wants(t, "bond", "fail", "run latchfs init")
	r.wants(t, "lock-table", "warn", "see bond")
	r.wants(t, "unnameable-keys", "ok", "none of 0 keys")

	b := e.Bucket(harness.OnS3, harness.Patient)
	setVersioning(b, b.Name, types.BucketVersioningStatusSuspended)
	doctor(b).wants(t, "versioning", "warn", "suspended")

	locked := e.NoBucket(harness.OnS3, harness.Patient)
	retaining(locked, locked.Name)
	if o := locked.Latchfs(locked.InitArgs()...); o.Code != 0 {
		t.Fatalf("init: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	r = doctor(locked)
	r.wants(t, "object-lock", "warn", "GOVERNANCE, 1 days")
	r.wants(t, "versioning", "ok", "on")
	if err := b.S3.Delete(ctx, ".latchfs/bucket.json"); err != nil {
		t.Fatal(err)
	}
	doctor(b).wants(t, "bond", "fail", "run latchfs init")
}

// The lock table has to be there, to be the one of the bond, and, in a bucket, to keep no versions.
func TestDoctorLockTable(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	ctx := e.Timeout(time.Minute)
	gone := e.Bucket(harness.OnS3, harness.Patient)
	emptyBucket(e, harness.NewClient(gone.Server(), gone.Name+"-locks"))
	wantsUnseen(t, gone, "fail", "is gone from")

	fenced := e.Bucket(harness.OnS3, harness.Patient)
	fence := `"rebind": {"id": "x", "since": "2026-11-28T20:00:00Z", "by": "host far (pid 7)", "backend": "s3", "table": "third"}, "region"`
	e.Must(fenced.S3.Put(ctx, ".latchfs/bucket.json", strings.Replace(fenced.Content(".latchfs/bucket.json"), `"region"`, fence, 1)))
	wantsUnseen(t, fenced, "warn", "see bond")

	other := e.Bucket(harness.OnDynamoDB, harness.Patient)
	bond := other.Content(".latchfs/bucket.json")
	e.Must(other.S3.Put(ctx, ".latchfs/bucket.json", regexp.MustCompile(`"table_id": *"[^"]*"`).ReplaceAllString(bond, `"table_id":"other"`)))
	doctor(other).wants(t, "lock-table", "fail", "with id other")

	b := e.Bucket(harness.OnS3, harness.Patient)
	setVersioning(b, b.Name+"-locks", types.BucketVersioningStatusEnabled)
	doctor(b).wants(t, "lock-table", "fail", "keeps versions")
	setVersioning(b, b.Name+"-locks", types.BucketVersioningStatusSuspended)
	doctor(b).wants(t, "lock-table", "warn", "kept versions once")
}

// wantsUnseen checks that all lines about a lock table that cannot be looked at point to the one that says why.
func wantsUnseen(t *testing.T, b *harness.Bucket, status, says string) {
	t.Helper()
	r := doctor(b)
	r.wants(t, "lock-table", status, says)
	lines := 0
	for _, l := range r.lines {
		if l.Check != "lock-table" && strings.HasPrefix(l.Check, "lock-") {
			lines++
			r.wants(t, l.Check, "warn", "see lock-table")
		}
	}
	if lines != 3 {
		t.Errorf("%d lines about a lock table that cannot be looked at\n%s", lines, r.Out)
	}
}

// The server's clock is told by its answers, refused ones too.
func TestDoctorClock(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	for _, c := range []struct {
		ahead        time.Duration
		status, says string
	}{
		{30 * time.Second, "ok", "behind the server"},
		{-2 * time.Minute, "warn", "ahead of the server"},
		{20 * time.Minute, "fail", "NTP"},
	} {
		// The first answer alone: the server takes no later request that is dated by such a clock.
		p.Alter(func(r *http.Response) {
			if r.Request.Method == http.MethodHead {
				r.Header.Set("Date", time.Now().Add(c.ahead).UTC().Format(http.TimeFormat))
			}
		})
		doctor(b.Through(p.URL)).wants(t, "clock", c.status, c.says)
	}
	p.Alter(func(r *http.Response) { r.Header.Set("Date", "soon") })
	doctor(b.Through(p.URL)).wants(t, "clock", "warn", "does not tell")
}

// What was begun long ago and never ended is told: uploads, and objects of probes.
func TestDoctorLeft(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	ctx := e.Timeout(time.Minute)
	for key, sum := range map[string]types.ChecksumAlgorithm{"a": types.ChecksumAlgorithmCrc32c, "b": ""} {
		_, err := b.S3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.Name, Key: &key, ChecksumAlgorithm: sum})
		e.Must(err)
	}
	e.Must(b.S3.Put(ctx, ".latchfs/probe/left/x", "x"))
	r := doctor(b)
	r.wants(t, "stray-uploads", "ok", "none of 2 open uploads")
	r.wants(t, "probe-leftovers", "ok", "1 versions")

	p := b.Proxy()
	old := regexp.MustCompile(`<(Initiated|LastModified)>[^<]*`)
	p.Alter(func(r *http.Response) {
		if q := r.Request.URL.Query(); q.Has("uploads") || q.Has("versions") {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			long := time.Now().Add(-75*time.Hour - 30*time.Minute).UTC().Format(time.RFC3339)
			edit(r, string(body), old.ReplaceAllString(string(body), "<$1>"+long))
		}
	})
	r = doctor(b.Through(p.URL))
	l := r.wants(t, "stray-uploads", "warn", "2 of 2 open uploads are older than a day, the oldest 3d3h; 1 of them")
	if !slices.Equal(l.Keys, []string{"a", "b"}) || l.Count != 2 {
		t.Errorf("%+v", l)
	}
	r.wants(t, "probe-leftovers", "warn", "1 versions below .latchfs/probe/ were left")
}

// A table that is replicated to other regions is refused by everybody, unless it is strongly
// consistent.
func TestDoctorGlobalTable(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.LockProxy()
	through := b.LocksThrough(p.URL)
	replicated := func(consistency string) {
		p.Alter(func(r *http.Response) {
			if strings.HasSuffix(r.Request.Header.Get("X-Amz-Target"), ".DescribeTable") {
				edit(r, `"TableName"`, `"GlobalTableVersion":"2019.11.21","MultiRegionConsistency":"`+consistency+`","Replicas":[{"RegionName":"us-west-2"}],"TableName"`)
			}
		})
	}
	replicated("EVENTUAL")
	doctor(through).wants(t, "lock-table", "fail", "us-west-2")
	mount := append([]string{"mount", "-f", "--state-dir", filepath.Join(e.Dir, "state")}, through.ConnectionFlags()...)
	for _, args := range [][]string{through.InitArgs(), append(mount, through.Source(), e.Mkdir("mnt"))} {
		if o := through.Latchfs(args...); o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "remove its replicas") {
			t.Errorf("%s: exit code %d, %q", args[0], o.Code, o.Err)
		}
	}
	replicated("STRONG")
	doctor(through).healthy(t)
	h := through.Mount("one")
	e.Sh(h.Mountpoint, "echo x > f")
}

// edit replaces the first of a text in an answer.
func edit(r *http.Response, from, to string) {
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	body = bytes.Replace(body, []byte(from), []byte(to), 1)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	r.Header.Del("X-Amz-Crc32")
}

// A folder is looked at by its server; one that never had any stays as it is.
func TestDoctorLocal(t *testing.T) {
	t.Parallel()
	l := newLocal(suite.New(t))
	if o := l.latchfs("init", "local:data"); o.Code != 0 {
		t.Fatalf("init: exit code %d, %q", o.Code, o.Err)
	}
	if o := l.latchfs("doctor", "local:data"); o.Code != 0 || strings.Count(o.Out, "\nok ") != strings.Count(o.Out, "\n")-1 {
		t.Errorf("exit code %d, %q\n%s", o.Code, o.Err, o.Out)
	}
	l.stopServer(filepath.Join(l.Dir, "data"))
	foreign := l.Mkdir("foreign")
	o := l.latchfs("doctor", "local:foreign")
	if left, err := os.ReadDir(foreign); o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "latchfs init local:") || len(left) > 0 || err != nil {
		t.Errorf("of a folder that is nobody's: exit code %d, %q, and then there is %v", o.Code, o.Err, left)
	}
}

// Ctrl-C ends it at once with one line, and no check is told as failed for that.
func TestDoctorInterrupted(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	reached := make(chan struct{}, 100)
	p.Inject(func(r *http.Request) harness.Fault {
		if r.URL.Query().Has("versioning") {
			reached <- struct{}{}
			return harness.Hang
		}
		return harness.Pass
	})
	program, err := suite.Latchfs()
	e.Must(err)
	through := b.Through(p.URL)
	cmd := exec.Command(program, doctorArgs(through, "--json", "")...)
	cmd.Env = b.Environ()
	d := e.Start(cmd)
	<-reached
	began := time.Now()
	e.Must(cmd.Process.Signal(os.Interrupt))
	o := d.Wait(time.Minute)
	if took := time.Since(began); o.Code != 1 || !oneLine(o.Err) || strings.Contains(o.Out, "fail") || strings.Count(o.Out, "\n") != 2 || took > 20*time.Second {
		t.Errorf("exit code %d after %s, %q\n%s", o.Code, took, o.Err, o.Out)
	}
}

// A busy answer is no verdict: each request is asked again.
func TestDoctorTransient(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p, locks := b.Proxy(), b.LockProxy()
	p.Inject(firstOfEach(harness.Busy))
	locks.Inject(firstOfEach(harness.Busy))
	doctor(b.Through(p.URL).LocksThrough(locks.URL)).healthy(t)
	status := func(code int) func(harness.Request) bool {
		return func(r harness.Request) bool { return r.Status == code }
	}
	busy, throttled := p.Seen(status(http.StatusServiceUnavailable)), locks.Seen(status(http.StatusBadRequest))
	if len(busy) < 5 || len(throttled) == 0 {
		t.Errorf("busy answers: %d of the bucket, %d of the lock table", len(busy), len(throttled))
	}
}

// firstOfEach gives a fault to the first request of each kind.
func firstOfEach(f harness.Fault) func(*http.Request) harness.Fault {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(r *http.Request) harness.Fault {
		kind := r.Method + " " + r.URL.Path + "?" + r.URL.RawQuery + r.Header.Get("X-Amz-Target")
		mu.Lock()
		defer mu.Unlock()
		if seen[kind] {
			return harness.Pass
		}
		seen[kind] = true
		return f
	}
}

func setVersioning(b *harness.Bucket, bucket string, status types.BucketVersioningStatus) {
	b.Helper()
	_, err := b.S3.PutBucketVersioning(b.Timeout(time.Minute), &s3.PutBucketVersioningInput{Bucket: &bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: status}})
	b.Must(err)
}

// retaining makes a bucket with a default rule of Object Lock.
func retaining(b *harness.Bucket, bucket string) {
	b.Helper()
	ctx, yes, day := b.Timeout(time.Minute), true, int32(1)
	_, err := b.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket, ObjectLockEnabledForBucket: &yes})
	b.Must(err)
	_, err = b.S3.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{Bucket: &bucket,
		ObjectLockConfiguration: &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: &day}}}})
	b.Must(err)
}

// latchfsWith runs a command with a variable of its environment set.
func latchfsWith(b *harness.Bucket, variable string, args ...string) harness.Output {
	b.Helper()
	program, err := suite.Latchfs()
	b.Must(err)
	cmd := exec.Command(program, args...)
	cmd.Env = append(b.Environ(), variable)
	return b.Start(cmd).Wait(time.Minute)
}
