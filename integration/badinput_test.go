package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

func oneLine(s string) bool {
	return strings.Count(s, "\n") == 1 && strings.HasSuffix(s, "\n") && strings.HasPrefix(s, "latchfs: ")
}

// TestBadInput: every mistake is one line that says what to do, the right exit code,
// and nothing left behind.
func TestBadInput(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	good := e.Bucket(harness.OnDynamoDB, harness.Patient)
	unbound := e.NoBucket(harness.OnDynamoDB, harness.Patient)
	missing := e.NoBucket(harness.OnDynamoDB, harness.Patient)
	createPlain(e, unbound)

	// A table of somebody else and one that is gone.
	foreign := e.Bucket(harness.OnS3, harness.Patient)
	locks := harness.NewClient(foreign.Server(), foreign.Name+"-locks")
	keys, err := locks.Keys(e.Timeout(time.Minute), "")
	e.Must(err)
	for _, k := range keys {
		e.Must(locks.Put(e.Timeout(time.Minute), k, `{"not":"ours"}`))
	}
	newer := e.Bucket(harness.OnS3, harness.Patient)
	locks = harness.NewClient(newer.Server(), newer.Name+"-locks")
	keys, err = locks.Keys(e.Timeout(time.Minute), "")
	e.Must(err)
	for _, k := range keys {
		record, err := locks.Get(e.Timeout(time.Minute), k, "")
		e.Must(err)
		e.Must(locks.Put(e.Timeout(time.Minute), k, strings.Replace(string(record), `"schema":1`, `"schema":2`, 1)))
	}
	newerBucket := e.Bucket(harness.OnS3, harness.Patient)
	binding := newerBucket.Content(".latchfs/bucket.json")
	e.Must(newerBucket.S3.Put(e.Timeout(time.Minute), ".latchfs/bucket.json", regexp.MustCompile(`"format": *1`).ReplaceAllString(binding, `"format":2`)))
	tableless := e.Bucket(harness.OnS3, harness.Patient)
	emptyBucket(e, harness.NewClient(tableless.Server(), tableless.Name+"-locks"))

	plain := e.NoBucket(harness.OnS3, harness.Patient) // for what init makes nothing of

	used := good.Mount("used")
	mnt := e.Mkdir("mnt")
	full := e.Mkdir("full")
	e.Must(os.WriteFile(filepath.Join(full, "x"), nil, 0o600))
	file := filepath.Join(full, "x")
	fresh := filepath.Join(e.Dir, "fresh", "data")

	conn := func(b *harness.Bucket) []string { return b.ConnectionFlags() }
	tests := []struct {
		name string
		b    *harness.Bucket // nil for local:
		args []string        // mount's, the flags of the connection left out; or those of another command
		env  []string
		code int
		says string // part of the line, in lower case
	}{
		{name: "missing bucket", b: missing, args: []string{"mount", missing.Source(), mnt}, code: 1, says: "latchfs init"},
		{name: "bucket without init", b: unbound, args: []string{"mount", unbound.Source(), mnt}, code: 1, says: "latchfs init"},
		{name: "wrong secret", b: good, args: []string{"mount", good.Source(), mnt}, env: []string{"AWS_SECRET_ACCESS_KEY=wrong"}, code: 1, says: "credentials"},
		{name: "unknown key", b: good, args: []string{"mount", good.Source(), mnt}, env: []string{"AWS_ACCESS_KEY_ID=AKIANOBODY"}, code: 1, says: "credentials"},
		{name: "no credentials", b: good, args: []string{"mount", good.Source(), mnt}, env: []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="}, code: 1, says: "credentials"},
		{name: "unknown profile", b: good, args: []string{"mount", "--profile", "nobody", good.Source(), mnt}, code: 1, says: "profile"},
		{name: "wrong region", b: good, args: []string{"mount", "--region", "eu-west-3", good.Source(), mnt}, code: 1, says: "--region"},
		{name: "nobody listens for locks", b: good, args: []string{"mount", "--dynamodb-endpoint-url", "http://127.0.0.1:9", good.Source(), mnt}, code: 1, says: "--dynamodb-endpoint-url"},
		{name: "short flush timeout", b: good, args: []string{"mount", "--flush-timeout", "1s", good.Source(), mnt}, code: 2, says: "--flush-timeout"},
		{name: "no state directory", b: good, args: []string{"mount", "--state-dir", filepath.Join(file, "x"), good.Source(), mnt}, code: 1, says: "--state-dir"},
		{name: "missing lock table", b: tableless, args: []string{"mount", tableless.Source(), mnt}, code: 1, says: "lock table"},
		{name: "foreign lock table", b: foreign, args: []string{"mount", foreign.Source(), mnt}, code: 1, says: "lock table"},
		{name: "newer lock table", b: newer, args: []string{"mount", newer.Source(), mnt}, code: 1, says: "schema 2"},
		{name: "newer bucket", b: newerBucket, args: []string{"mount", newerBucket.Source(), mnt}, code: 1, says: "upgrade"},
		{name: "folder of somebody else", args: []string{"mount", "local:" + full, mnt}, code: 1, says: "holds x, which is not of latchfs"},
		{name: "init of a folder of somebody else", args: []string{"init", "local:" + full}, code: 1, says: "holds x, which is not of latchfs"},
		{name: "file for a folder", args: []string{"mount", "local:" + file, mnt}, code: 1, says: "not a folder"},
		{name: "new folder with a short flush timeout", args: []string{"mount", "--flush-timeout", "1s", "local:" + fresh, mnt}, code: 2, says: "--flush-timeout"},
		{name: "new folder with times that do not go together", args: []string{"init", "--lease", "3s", "local:" + fresh}, code: 2, says: "lease"},
		{name: "busy mount point", b: good, args: []string{"mount", good.Source(), used.Mountpoint}, code: 1, says: "mounted"},
		{name: "mount point not empty", b: good, args: []string{"mount", good.Source(), full}, code: 1, says: "not empty"},
		{name: "mount point is a file", b: good, args: []string{"mount", good.Source(), file}, code: 1, says: "not a directory"},
		{name: "no mount point", b: good, args: []string{"mount", good.Source(), filepath.Join(mnt, "gone")}, code: 1, says: "mkdir"},
		{name: "unknown flag", b: good, args: []string{"mount", "--nonsense", good.Source(), mnt}, code: 2, says: "nonsense"},
		{name: "no source", b: good, args: []string{"mount"}, code: 2, says: "source"},
		{name: "strange source", b: good, args: []string{"mount", "s3://UPPER_case_bucket!", mnt}, code: 2, says: "source"},
		{name: "init with another table", b: good, args: []string{"init", "--lock", "dynamodb:another", good.Source()}, code: 1, says: "another"},
		{name: "init with other times", b: good, args: []string{"init", "--lock", good.LockFlag(), "--lease", "40s", good.Source()}, code: 1, says: "40s"},
		{name: "init with a short lease", b: missing, args: []string{"init", "--lock", missing.LockFlag(), "--beat", "5s", "--lease", "6s", missing.Source()}, code: 2, says: "lease"},
		{name: "init with times that no table can keep", b: missing, args: []string{"init", "--lock", missing.LockFlag(), "--beat", "1ns", "--lease", "4ns", missing.Source()}, code: 2, says: "milliseconds"},
		{name: "gc without init", b: unbound, args: []string{"gc", unbound.Source()}, code: 1, says: "latchfs init"},
		{name: "gc without a lock table", b: tableless, args: []string{"gc", "--yes", tableless.Source()}, code: 1, says: "lock table"},
		{name: "init with a lock table's bucket for files", b: newerBucket, args: []string{"init", "--yes", "--lock", "s3:others", newerBucket.Source() + "-locks"}, code: 1, says: "holds the lock table of other buckets"},
		{name: "init with a bucket for files as the lock table", b: plain, args: []string{"init", "--lock", "s3:" + good.Name, plain.Source()}, code: 1, says: "names a bucket for files"},
		{name: "umount of what is no mount", b: good, args: []string{"umount", mnt}, code: 1, says: "mount"},
	}
	program, err := suite.Latchfs()
	e.Must(err)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, inFront := range []bool{true, false} {
				if !inFront && tt.args[0] != "mount" {
					continue
				}
				state := filepath.Join(e.Dir, "state")
				args := []string{tt.args[0]}
				b := tt.b
				if b == nil {
					b = good // for its environment
				} else if tt.args[0] != "umount" {
					args = append(args, conn(tt.b)...)
				}
				if tt.args[0] != "init" {
					args = append(args, "--state-dir", state)
				}
				if tt.args[0] == "mount" && inFront {
					args = append(args, "-f")
				}
				cmd := exec.Command(program, append(args, tt.args[1:]...)...)
				cmd.Env = append(b.Environ(), tt.env...)
				before := e.Mounts()
				o := e.Start(cmd).Wait(time.Minute)
				if o.Code != tt.code || !oneLine(o.Err) || !strings.Contains(strings.ToLower(o.Err), tt.says) {
					t.Errorf("in front %v: exit code %d, said %q; want %d and one line with %q", inFront, o.Code, o.Err, tt.code, tt.says)
				}
				if _, err := os.Stat(filepath.Dir(fresh)); err == nil {
					t.Errorf("left behind: %s", filepath.Dir(fresh))
				}
				if after := e.Mounts(); len(after) != len(before) {
					t.Errorf("mounts before %q, after %q", before, after)
				}
				entries, _ := os.ReadDir(state)
				for _, s := range entries {
					if s.IsDir() {
						t.Errorf("left behind in the state directory: %s", s.Name())
					}
				}
			}
		})
	}
}

// Where nobody answers that is said soon, and nothing was made meanwhile.
func TestBadInputNobodyAnswers(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.NoBucket(harness.OnDynamoDB, harness.Patient)
	const nobody = "http://127.0.0.1:9"
	began := time.Now()
	args := append([]string{"init"}, b.ConnectionFlags()...)
	o := b.Latchfs(append(args, "--dynamodb-endpoint-url", nobody, "--lock", b.LockFlag(), b.Source())...)
	if o.Code != 1 || o.Out != "" || !oneLine(o.Err) || !strings.Contains(o.Err, "--dynamodb-endpoint-url") {
		t.Errorf("init without a lock table's server: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	if _, err := b.S3.Keys(e.Timeout(time.Minute), ""); err == nil {
		t.Error("init made the bucket, although its lock table cannot be reached")
	}
	o = b.Latchfs("mount", "-f", "--endpoint-url", nobody, "--region", harness.Region,
		"--state-dir", filepath.Join(e.Dir, "state"), b.Source(), e.Mkdir("mnt"))
	if o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "--endpoint-url") {
		t.Errorf("mount without a server: exit code %d, %q", o.Code, o.Err)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it took %s", d)
	}
}

// Without /dev/fuse, as in a container, the message names the options that give it.
func TestBadInputNoFuse(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	program, err := suite.Latchfs()
	e.Must(err)
	mnt := e.Mkdir("mnt")
	args := append([]string{"mount", "-f", "--state-dir", filepath.Join(e.Dir, "state")}, b.ConnectionFlags()...)
	args = append(args, b.Source(), mnt)
	// A mount namespace of its own, in which nothing is at /dev/fuse.
	script := `mount -t tmpfs none /dev && exec "$@"`
	cmd := e.InNamespace("sh", append([]string{"-c", script, "sh", program}, args...)...)
	cmd.Env = b.Environ()
	o := e.Start(cmd).Wait(time.Minute)
	if o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "--device /dev/fuse") || !strings.Contains(o.Err, "SYS_ADMIN") {
		t.Errorf("exit code %d, said %q", o.Code, o.Err)
	}
}
