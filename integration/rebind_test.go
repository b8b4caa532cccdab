package integration

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
	"github.com/latchfs/latchfs/lockmgr/s3table"
)

// A bucket whose lock table was lost is mounted again by what the message says, done to the letter
// (LOCKS P1). The bucket keeps its id, so that what a crashed mount left is found.
func TestRebind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lock harness.Lock
		lose func(*harness.Bucket)
		says string // of mount
	}{
		{"a DynamoDB table that is gone", harness.OnDynamoDB, deleteTable, "is gone from"},
		{"an S3 table that is gone", harness.OnS3, deleteTable, "is gone from"},
		{"an S3 table made anew", harness.OnS3, remakeTable, "but the table of that name has id"},
		{"an S3 table without its configuration", harness.OnS3, loseConfiguration, "is not a lock table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(c.lock, harness.Mortal)
			h := b.Mount("one").Expect("recover|not closed")
			f := newFiles(e)
			fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
			f.mustWrite(fd, 0, "precious\n")
			other := append(append([]string{"init", "--rebind", "--yes"}, b.ConnectionFlags()...), "--lock", b.LockFlag()+"-other", b.Source())
			if o := b.Latchfs(other...); o.Code != 1 || !strings.Contains(o.Err, "is mounted on this host") || !strings.Contains(o.Err, "latchfs umount "+h.Mountpoint) {
				t.Errorf("--rebind of a mounted bucket: exit code %d, %q", o.Code, o.Err)
			}
			h.Kill()
			c.lose(b)
			id := bucketID(e, b)

			o := e.Start(h.Command(h.MountArgs()...)).Wait(time.Minute)
			_, said, _ := strings.Cut(o.Err, "\nlatchfs: ") // after the log
			if o.Code != 1 || !strings.Contains(said, c.says) {
				t.Fatalf("mount: exit code %d, %q; want 1 and a line with %q", o.Code, o.Err, c.says)
			}
			advice := rebindAdvice(e, said)
			if o := b.Latchfs(append(append([]string{"init"}, b.ConnectionFlags()...), b.Source())...); o.Code != 1 || rebindAdvice(e, o.Err) != advice {
				t.Errorf("init gives other advice than mount: %q", o.Err)
			}
			o = asWritten(b, advice)
			if o.Code != 1 || o.Out == "" || !oneLine(o.Err) || !strings.Contains(o.Err, "run it again with --yes") {
				t.Fatalf("without a terminal to ask at: exit code %d, %q, %q", o.Code, o.Out, o.Err)
			}
			yes := strings.Replace(advice, "--rebind", "--rebind --yes", 1)
			if o = asWritten(b, yes); o.Code != 0 || o.Err != "" || !strings.Contains(o.Out, "names lock table") {
				t.Fatalf("%s: exit code %d, %q, %q", yes, o.Code, o.Out, o.Err)
			}
			if o = asWritten(b, yes); o.Code != 0 || !strings.Contains(o.Out, "already") {
				t.Errorf("a second time: exit code %d, %q, %q", o.Code, o.Out, o.Err)
			}
			if got := bucketID(e, b); got != id {
				t.Errorf("the bucket has id %s, and had %s", got, id)
			}
			h.Mount()
			e.Eventually(time.Minute, func() error {
				return some(b.KeysBelow("f.recovered-"), "recovered file")
			})
			f.mustPut(h.Path("g"), "1\n")
		})
	}
}

// Nobody knows what delay the table had that is gone: it waits for the usual one, whatever the new
// table has, and before that until all who use it have read that they have to stop. Of two that give the bucket another table one gives way: the bond is replaced only if it still is
// what was read.
func TestRebindGivesWay(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	deleteTable(b)
	args := append([]string{"init", "--rebind", "--yes", "--beat", "1s", "--lease", "5s", "--delay", "1s"}, b.ConnectionFlags()...)
	program, err := suite.Latchfs()
	e.Must(err)
	cmd := exec.Command(program, append(args, b.Source())...)
	cmd.Env = b.Environ()
	rebind := e.Start(cmd)
	e.Eventually(30*time.Second, func() error {
		return some(regexp.MustCompile("waiting 1m0s").FindAllString(rebind.Out.String(), -1), "line that says how long it waits")
	})
	const other = `{"format": 1, "id": "x", "region": "", "lock": {"backend": "s3", "table": "theirs", "table_id": "y"}}`
	e.Must(b.S3.Put(e.Timeout(time.Minute), ".latchfs/bucket.json", other))
	// It waits for the minute that it has said, and then asks once more.
	if o := rebind.Wait(3 * time.Minute); o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "somebody else changed .latchfs/bucket.json") {
		t.Errorf("exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	if got := b.Content(".latchfs/bucket.json"); got != other {
		t.Errorf("the bond is %s", got)
	}
}

func deleteTable(b *harness.Bucket) {
	if b.Lock == harness.OnS3 {
		emptyBucket(b.Env, harness.NewClient(b.Server(), b.Name+"-locks"))
		return
	}
	server, err := suite.DynamoDB()
	b.Must(err)
	api := dynamodb.New(dynamodb.Options{Region: harness.Region, BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider(server.AccessKey, server.SecretKey, "")})
	_, err = api.DeleteTable(b.Timeout(time.Minute), &dynamodb.DeleteTableInput{TableName: aws.String(b.Name + "-locks")})
	b.Must(err)
}

// remakeTable is what somebody does who misses the table and makes one of that name.
func remakeTable(b *harness.Bucket) {
	deleteTable(b)
	_, _, err := openTable(b).Init(b.Timeout(time.Minute), lockmgr.Config{Timing: lockmgr.Timing(b.Times)})
	b.Must(err)
}

// openTable reaches the lock table of a bucket as a program beside the mounts.
func openTable(b *harness.Bucket) (table lockmgr.Table) {
	name := b.Name + "-locks"
	var err error
	if s := b.Server(); b.Lock == harness.OnS3 {
		table, err = s3table.Open(b.Timeout(time.Minute), s3table.Config{Bucket: name, Region: harness.Region,
			Endpoint: s.URL, PathStyle: true, AccessKey: s.AccessKey, SecretKey: s.SecretKey})
	} else {
		s, err = suite.DynamoDB()
		b.Must(err)
		table, err = dynamo.Open(b.Timeout(time.Minute), dynamo.Config{Table: name, Region: harness.Region,
			Endpoint: s.URL, AccessKey: s.AccessKey, SecretKey: s.SecretKey})
	}
	b.Must(err)
	return table
}

func loseConfiguration(b *harness.Bucket) {
	b.Must(harness.NewClient(b.Server(), b.Name+"-locks").Delete(b.Timeout(time.Minute), "v1/config"))
}

func bucketID(e *harness.Env, b *harness.Bucket) string {
	e.Helper()
	var bond struct{ ID string }
	e.Must(json.Unmarshal([]byte(b.Content(".latchfs/bucket.json")), &bond))
	return bond.ID
}

var rebindCommand = regexp.MustCompile(`latchfs init --rebind .*`)

func rebindAdvice(e *harness.Env, line string) string {
	e.Helper()
	advice := rebindCommand.FindString(line)
	if advice == "" {
		e.Fatalf("no command in %q", line)
	}
	return advice
}

// asWritten runs a command of a message in a shell, as somebody would who copies it.
func asWritten(b *harness.Bucket, command string) harness.Output {
	b.Helper()
	program, err := b.Suite.Latchfs()
	b.Must(err)
	cmd := exec.Command("sh", "-c", command)
	cmd.Env = append(b.Environ(), "PATH="+filepath.Dir(program)+":/usr/sbin:/usr/bin:/sbin:/bin")
	return b.Start(cmd).Wait(2 * time.Minute)
}

// A mount of another host that uses the old table is noticed by its heartbeats, also if that is not the
// table that is named.
func TestRebindOfATableInUse(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]harness.Lock{"S3": harness.OnS3, "DynamoDB": harness.OnDynamoDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(lock, harness.Mortal)
			table := openTable(b)
			cfg, err := table.ReadConfig(t.Context())
			e.Must(err)
			far := lockmgr.New(table, cfg, lockmgr.Options{BucketID: bucketID(e, b), Name: "far", Host: "far", PID: 7})
			lease, err := far.Acquire(t.Context(), "f", time.Minute)
			e.Must(err)
			other := append(append([]string{"init", "--rebind", "--yes", "--beat", "250ms", "--lease", "4s", "--delay", "2s"}, b.ConnectionFlags()...), "--lock", b.LockFlag()+"-other", b.Source())
			before := b.Content(".latchfs/bucket.json")
			if o := b.Latchfs(other...); o.Code != 1 || !strings.Contains(o.Err, "in use by a mount on host far (pid 7)") {
				t.Errorf("beside a living mount: exit code %d, %q", o.Code, o.Err)
			}
			if got := b.Content(".latchfs/bucket.json"); got != before {
				t.Errorf("the bond was changed to %s", got)
			}
			lease.Release()
			e.Must(far.Close(e.Timeout(time.Minute)))
			if o := b.Latchfs(other...); o.Code != 0 || !strings.Contains(o.Out, "names lock table") {
				t.Errorf("after its end: exit code %d, %q, %q", o.Code, o.Out, o.Err)
			}
		})
	}
}

// A rebind that is cut off leaves a note, beside which nobody begins to lock, and which says how to
// finish it (LOCKS P1).
func TestRebindCutOff(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	program, err := suite.Latchfs()
	e.Must(err)
	args := append(append([]string{"init", "--rebind", "--yes"}, b.ConnectionFlags()...), "--lock", b.LockFlag()+"-other")
	cut := func(end syscall.Signal, times ...string) harness.Output {
		cmd := exec.Command(program, append(append(args, times...), b.Source())...)
		cmd.Env = b.Environ()
		rebind := e.Start(cmd)
		e.Eventually(30*time.Second, func() error {
			return some(regexp.MustCompile("waiting .*s,").FindAllString(rebind.Out.String(), -1), "line that says how long it waits")
		})
		e.Must(rebind.Cmd.Process.Signal(end))
		return rebind.Wait(3 * time.Minute)
	}
	before := b.Content(".latchfs/bucket.json")
	// A session that nobody can read may be of a mount that lives: the fence stops that.
	locks := harness.NewClient(b.Server(), b.Name+"-locks")
	e.Must(locks.Put(e.Timeout(time.Minute), "v1/session/x.1", "no session"))
	o := cut(syscall.SIGTERM, "--beat", "250ms", "--lease", "4s", "--delay", "2s")
	if o.Code != 1 || !oneLine(o.Err) || strings.Contains(o.Err, "context") || b.Content(".latchfs/bucket.json") != before {
		t.Errorf("interrupted: exit code %d, %q; the bond is %s", o.Code, o.Err, b.Content(".latchfs/bucket.json"))
	}
	cut(syscall.SIGKILL)
	if bond := b.Content(".latchfs/bucket.json"); !strings.Contains(bond, `"blind": true`) {
		t.Errorf("beside a session that nobody can read the bond is %s", bond)
	}
	e.Must(locks.Delete(e.Timeout(time.Minute), "v1/session/x.1"))
	stay := append(append([]string{"init", "--rebind", "--yes"}, b.ConnectionFlags()...), "--lock", b.LockFlag(), b.Source())
	if o := b.Latchfs(stay...); o.Code != 0 || !strings.Contains(o.Out, "is not being bound to lock table") || b.Content(".latchfs/bucket.json") != before {
		t.Errorf("to the table that it has: exit code %d, %q, %q; the bond is %s", o.Code, o.Out, o.Err, b.Content(".latchfs/bucket.json"))
	}
	cut(syscall.SIGKILL)
	const says = "is being bound to lock table s3:"
	if o := b.Latchfs(append(append([]string{"init"}, b.ConnectionFlags()...), b.Source())...); o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, says) {
		t.Errorf("init: exit code %d, %q", o.Code, o.Err)
	}
	doctor(b).wants(t, "bond", "fail", says)
	if o = tryMount(b); o.Code != 1 || !strings.Contains(o.Err, says) || !strings.Contains(o.Err, "(pid ") {
		t.Fatalf("mount: exit code %d, %q", o.Code, o.Err)
	}
	yes := strings.Replace(rebindAdvice(e, o.Err), "--rebind", "--rebind --yes", 1)
	yes = strings.TrimSuffix(yes, " (or mount it with --read-only)")
	if o := asWritten(b, yes); o.Code != 0 || !strings.Contains(o.Out, "-other") || !strings.Contains(o.Out, "names lock table") {
		t.Fatalf("%s: exit code %d, %q, %q", yes, o.Code, o.Out, o.Err)
	}
	h := b.Mount("one").Expect(says)
	f := newFiles(e)
	f.mustPut(h.Path("f"), "1\n")

	// Somebody who does not see this table stops this mount.
	bond := b.Content(".latchfs/bucket.json")
	fence := `"rebind": {"id": "x", "since": "2026-11-28T20:00:00Z", "by": "host far (pid 7)", "backend": "s3", "table": "third", "blind": true}, "region"`
	e.Must(b.S3.Put(e.Timeout(time.Minute), ".latchfs/bucket.json", strings.Replace(bond, `"region"`, fence, 1)))
	e.Eventually(time.Minute, func() error {
		if h.Logs("lock session lost") {
			return nil
		}
		return errors.New("the mount goes on")
	})
	if err := f.put(h.Path("f"), "2\n"); !errors.Is(err, unix.EIO) || !h.Logs("host far (pid 7)") {
		t.Errorf("a write beside the fence: %v", err)
	}
	e.Must(b.S3.Put(e.Timeout(time.Minute), ".latchfs/bucket.json", bond))
	f.mustPut(h.Path("f"), "3\n")
}
