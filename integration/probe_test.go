package integration

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
	"github.com/latchfs/latchfs/store"
)

// left counts what probes have left in the bucket and its lock table: versions, delete markers and
// uploads.
func left(b *harness.Bucket) (n int) {
	b.Helper()
	clients := []*harness.Client{b.S3}
	if b.Lock == harness.OnS3 {
		clients = append(clients, harness.NewClient(b.Server(), b.Name+"-locks"))
	}
	for _, c := range clients {
		all, err := c.ListObjectVersions(b.Timeout(time.Minute), &s3.ListObjectVersionsInput{Bucket: &c.Bucket, Prefix: aws.String(store.ProbePrefix)})
		b.Must(err)
		uploads, err := c.ListMultipartUploads(b.Timeout(time.Minute), &s3.ListMultipartUploadsInput{Bucket: &c.Bucket, Prefix: aws.String(store.ProbePrefix)})
		b.Must(err)
		n += len(all.Versions) + len(all.DeleteMarkers) + len(uploads.Uploads)
	}
	return n
}

func leavesNothing(b *harness.Bucket) {
	b.Helper()
	if n := left(b); n != 0 {
		b.Errorf("%d versions and uploads are left below %s", n, store.ProbePrefix)
	}
}

// tryMount mounts with flags, and gives what it says where it fails.
func tryMount(b *harness.Bucket, flags ...string) harness.Output {
	b.Helper()
	args := append([]string{"mount", "-f", "--state-dir", b.Mkdir("state")}, b.ConnectionFlags()...)
	return b.Latchfs(append(append(args, flags...), b.Source(), b.Mkdir("mnt"))...)
}

// puts tells whether a request is a PUT.
func puts(r harness.Request) bool { return r.Method == http.MethodPut }

// SEMANTICS "Servers": init and mount say what a server ignores, and do what the table says.
func TestServersByTheirConditions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		ignored  harness.Conditions
		code     int    // of init
		says     string // init
		refuses  string // mount, without flags
		degraded bool   // it mounts with --accept-degraded
		warns    string
		flags    []string // of mount
		raised   bool     // its --flush-timeout
	}{
		{name: "nothing", says: "does all that a mount relies on"},
		{name: "copy", ignored: harness.OnCopy, says: "of CopyObject"},
		{name: "source of parts", ignored: harness.OnPartSource, says: "UploadPartCopy"},
		{name: "complete", ignored: harness.OnComplete, says: "saved by one PUT", warns: "saved by one PUT", flags: []string{"--flush-timeout", "60s"}, raised: true},
		{name: "delete", ignored: harness.OnDelete, says: "--accept-degraded", refuses: "--accept-degraded", degraded: true, warns: "as --accept-degraded allows"},
		{name: "put", ignored: harness.OnPut, code: 1, says: "of PutObject", refuses: "of PutObject"},
		{name: "everything", ignored: harness.OnEverything, code: 1, says: "of PutObject", refuses: "of PutObject"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := suite.New(t)
			honest := e.NoBucket(harness.OnDynamoDB, harness.Patient)
			b := honest.Through(e.StrippingServer(honest.Server(), c.ignored).URL)
			o := b.Latchfs(b.InitArgs()...)
			said := o.Out
			if c.code != 0 {
				said = o.Err
				if !oneLine(o.Err) || !strings.Contains(o.Err, "--read-only") {
					t.Errorf("init says %q", o.Err)
				}
			}
			if o.Code != c.code || !strings.Contains(said, c.says) || !strings.Contains(said, b.Server().URL) || !strings.Contains(said, "VERSITYGW") {
				t.Errorf("init: exit code %d, %q, %q; want %d and %q", o.Code, o.Out, o.Err, c.code, c.says)
			}
			leavesNothing(honest)
			if c.refuses != "" {
				o := tryMount(b)
				if o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, c.refuses) || !strings.Contains(o.Err, "VERSITYGW") {
					t.Errorf("mount: exit code %d, %q; want one line with %q", o.Code, o.Err, c.refuses)
				}
				if !c.degraded {
					if o := tryMount(b, "--accept-degraded"); o.Code != 1 || !strings.Contains(o.Err, c.refuses) {
						t.Errorf("mount --accept-degraded: exit code %d, %q", o.Code, o.Err)
					}
				}
				leavesNothing(honest)
			}
			flags, warns := c.flags, "no warning"
			if c.warns != "" {
				warns = c.warns
			}
			switch {
			case c.degraded:
				flags = append(flags, "--accept-degraded")
			case c.refuses != "":
				e.Must(honest.S3.Put(e.Timeout(time.Minute), "f", "1\n"))
				flags = append(flags, "--read-only")
			}
			if c.raised {
				warns += "|--flush-timeout"
			}
			h := b.Mount("one", flags...).Expect(warns)
			if c.raised != h.Logs("--flush-timeout 1m0s is too short for the S3 server") {
				t.Errorf("the log tells of --flush-timeout; want %v", c.raised)
			}
			if c.refuses == "" || c.degraded {
				e.Sh(h.Mountpoint, "echo 1 > f; chmod 600 f; mv f g; mv g f; echo 2 > x; rm x; test ! -e x")
			}
			if got := e.Sh(h.Mountpoint, "cat f"); got != "1\n" {
				t.Errorf("reads %q", got)
			}
			if c.warns != "" && !h.Logs(c.warns) {
				t.Errorf("the log does not say %q", c.warns)
			}
			h.Umount()
			leavesNothing(honest)
		})
	}
}

// A lock table on a server that ignores conditions on PUT is refused before anything is bound to it,
// and at the mount.
func TestLockTableOnAnUnfitServer(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	honest := e.NoBucket(harness.OnS3, harness.Mortal)
	b := honest.Through(e.StrippingBucket(honest.Server(), harness.OnPut, honest.Name+"-locks").URL)
	o := b.Latchfs(b.InitArgs()...)
	if o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "cannot keep a lock table") {
		t.Errorf("init: exit code %d, %q", o.Code, o.Err)
	}
	if _, err := honest.S3.Get(e.Timeout(time.Minute), ".latchfs/bucket.json", ""); !harness.NotFound(err) {
		t.Errorf("the bucket was bound: %v", err)
	}
	leavesNothing(honest)
	if o := honest.Latchfs(honest.InitArgs()...); o.Code != 0 {
		t.Fatalf("init by the honest address: %q", o.Err)
	}
	o = tryMount(b, "--accept-degraded")
	if o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "cannot keep a lock table") {
		t.Fatalf("mount: exit code %d, %q", o.Code, o.Err)
	}
	leavesNothing(honest)

	// What it says is done to the letter, by somebody who has a table in DynamoDB.
	server, err := suite.DynamoDB()
	e.Must(err)
	table, err := dynamo.Open(e.Timeout(time.Minute), dynamo.Config{Table: "latchfs", Region: harness.Region, Endpoint: server.URL, AccessKey: server.AccessKey, SecretKey: server.SecretKey})
	e.Must(err)
	_, _, err = table.Init(e.Timeout(time.Minute), lockmgr.Config{Timing: lockmgr.Timing(harness.Mortal)})
	e.Must(err)
	advice, _, _ := strings.Cut(rebindAdvice(e, o.Err), ", or use")
	yes := "AWS_ENDPOINT_URL_DYNAMODB=" + server.URL + " " + strings.Replace(advice, "--rebind", "--rebind --yes", 1)
	if o := asWritten(b, yes); o.Code != 0 || !strings.Contains(o.Out, "names lock table dynamodb:latchfs") {
		t.Errorf("%s: exit code %d, %q, %q", yes, o.Code, o.Out, o.Err)
	}
	if o := asWritten(b, "AWS_ENDPOINT_URL_DYNAMODB="+server.URL+" latchfs doctor --json --force-path-style --region "+harness.Region+" --endpoint-url "+b.Server().URL+" "+b.Source()); o.Code != 0 {
		t.Errorf("doctor after that: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
}

// A server is proved with racers once, and asked again at each mount.
func TestVerdictIsKept(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	through := b.Through(p.URL)
	before := b.Content(".latchfs/bucket.json")
	for i, racing := range []bool{true, false, false} {
		from := len(p.Probes(puts))
		h := through.Mount(fmt.Sprint("host", i))
		n := len(p.Probes(puts)) - from
		if racing != (n > 80) || n < 10 {
			t.Errorf("%d requests of a probe write, racing %v", n, racing)
		}
		h.Umount()
	}
	if after := b.Content(".latchfs/bucket.json"); !strings.Contains(after, p.URL) || !strings.Contains(after, b.Server().URL) || after == before {
		t.Errorf("bucket.json is %s", after)
	}
	if n := len(b.VersionsOf(".latchfs/bucket.json")); n != 3 {
		t.Errorf("bucket.json has %d versions, want one of init, one of its verdict, one of the proxy's", n)
	}
	leavesNothing(b)
}

// Answers that are lost, late or refused for load show nothing of a server.
func TestProbeOverALossyNetwork(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]harness.Fault{"lost": harness.LoseReply, "busy": harness.Busy, "refused": harness.Refuse, "twice": harness.Twice} {
		t.Run(name, func(t *testing.T) {
			e := suite.New(t)
			b := e.Bucket(harness.OnS3, harness.Patient)
			p := b.Proxy()
			p.Inject(func(r *http.Request) harness.Fault {
				if strings.Contains(r.URL.Path, store.ProbePrefix) && harness.Mutation(r) && rand.IntN(12) == 0 {
					return fault
				}
				return harness.Pass
			})
			h := b.Through(p.URL).Mount("one")
			e.Sh(h.Mountpoint, "echo 1 > f; chmod 600 f; rm f")
			p.Inject(nil)
			h.Umount()
			if text := b.Content(".latchfs/bucket.json"); strings.Contains(text, "conditions") {
				t.Errorf("found %s", text)
			}
		})
	}
}

// Credentials for a part of a bucket may not write where a probe does: the mount says so.
func TestProbeIsDenied(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	p.Inject(func(r *http.Request) harness.Fault {
		if strings.Contains(r.URL.Path, store.ProbePrefix) {
			return harness.Denied
		}
		return harness.Pass
	})
	h := b.Through(p.URL).Mount("one").Expect("is not proved")
	e.Sh(h.Mountpoint, "echo 1 > f; rm f")
	if !h.Logs("may not write below .latchfs/probe/") {
		t.Error("the mount does not say that it proves nothing")
	}
	h.Umount()
	leavesNothing(b)
}

// Who may not remove versions leaves what a probe wrote once, and is told.
func TestProbeCannotCleanUp(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	p.Inject(func(r *http.Request) harness.Fault {
		if r.Method == http.MethodDelete && r.URL.Query().Has("versionId") {
			return harness.Denied
		}
		return harness.Pass
	})
	through := b.Through(p.URL)
	h := through.Mount("one").Expect("stay below")
	if !h.Logs("stay below .latchfs/probe/") || !h.Logs("s3:DeleteObjectVersion") {
		t.Error("the mount does not say what it left")
	}
	h.Umount()
	n := left(b)
	through.Mount("two").Umount()
	if n == 0 || left(b) != n {
		t.Errorf("%d are left after one mount, %d after two", n, left(b))
	}
}

// A mount that is ended while it probes takes away what it wrote; one that is killed leaves what
// disturbs nobody.
func TestProbeEnds(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]unix.Signal{"SIGTERM": unix.SIGTERM, "SIGKILL": unix.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			e := suite.New(t)
			b := e.Bucket(harness.OnDynamoDB, harness.Patient)
			p := b.Proxy()
			p.Latency = 100 * time.Millisecond
			h := b.Through(p.URL).Host("one")
			mount := b.Start(h.Command(h.MountArgs()...))
			e.Eventually(30*time.Second, func() error {
				if n := len(p.Probes(puts)); n < 10 {
					return fmt.Errorf("%d requests of the probe", n)
				}
				return nil
			})
			began := time.Now()
			e.Must(mount.Cmd.Process.Signal(signal))
			o := mount.Wait(30 * time.Second)
			if took := time.Since(began); o.Code == 0 || took > 15*time.Second {
				t.Errorf("exit code %d after %s, %q", o.Code, took, o.Err)
			}
			if signal == unix.SIGTERM {
				leavesNothing(b)
			}
			two := b.Mount("two")
			e.Sh(two.Mountpoint, "echo 1 > f; test $(ls -A | wc -l) = 1")
			two.Umount()
		})
	}
}

// Where Object Lock keeps what is written, init asks before it proves the server, and a mount goes by
// what init found.
func TestProbeUnderRetention(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.NoBucket(harness.OnDynamoDB, harness.Patient)
	ctx := e.Timeout(time.Minute)
	_, err := b.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b.Name, ObjectLockEnabledForBucket: aws.Bool(true)})
	e.Must(err)
	_, err = b.S3.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{Bucket: &b.Name, ObjectLockConfiguration: &types.ObjectLockConfiguration{
		ObjectLockEnabled: types.ObjectLockEnabledEnabled,
		Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: aws.Int32(1)}}}})
	e.Must(err)
	o := b.Latchfs(b.InitArgs()...)
	if o.Code != 0 || !strings.Contains(o.Out, "not proved") || !strings.Contains(o.Out, "--yes") {
		t.Errorf("init: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	leavesNothing(b)
	h := b.Mount("one").Expect("is not proved")
	if !h.Logs("is not proved: Object Lock") {
		t.Error("the mount does not say that it proves nothing")
	}
	h.Umount()
	leavesNothing(b)
	args := b.InitArgs()
	o = b.Latchfs(append([]string{args[0], "--yes"}, args[1:]...)...)
	if o.Code != 0 || !strings.Contains(o.Out, "does all that a mount relies on") || !strings.Contains(o.Out, "stay below") {
		t.Errorf("init --yes: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	n := left(b)
	b.Mount("two").Umount()
	if n == 0 || left(b) != n {
		t.Errorf("%d are left by init, %d after a mount", n, left(b))
	}
}
