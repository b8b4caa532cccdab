package cli

import (
	"bytes"
	"strings"
	"testing"
)

// run runs a command line in this process; no input of these tests gets far enough to
// mount anything.
func run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Run(t.Context(), append([]string{"latchfs"}, args...), Stdio{Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func TestUsageErrorsAreOneLineAndExitTwo(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "a command is missing"},
		{[]string{"moutn"}, `unknown command "moutn"`},
		{[]string{"help"}, `unknown command "help"`},
		{[]string{"--nope"}, "nope"},
		{[]string{"mount", "--nope", "bucket", "/mnt"}, "nope"},
		{[]string{"mount"}, "SOURCE is missing"},
		{[]string{"mount", "bucket"}, "MOUNTPOINT is missing"},
		{[]string{"mount", "bucket", "/mnt", "more"}, `"more" is too much`},
		{[]string{"mount", "bucket", "/mnt", "--lock-timeout"}, "lock-timeout"},
		{[]string{"mount", "bucket", "/mnt", "--nope"}, "nope"},
		{[]string{"mount", "bucket", "/mnt", "--", "-f"}, `"-f" is too much`},
		{[]string{"mount", "b", "/mnt"}, "names no bucket"},
		{[]string{"mount", "--lock-timeout", "soon", "bucket", "/mnt"}, "lock-timeout"},
		{[]string{"mount", "--lock-timeout", "0", "bucket", "/mnt"}, "--lock-timeout"},
		{[]string{"mount", "--flush-timeout", "-1s", "bucket", "/mnt"}, "--flush-timeout"},
		{[]string{"mount", "--metadata-ttl", "-1s", "bucket", "/mnt"}, "--metadata-ttl"},
		{[]string{"mount", "--endpoint-url", "http://127.0.0.1:9", "local:data", "/mnt"}, "--endpoint-url does not go with local:"},
		{[]string{"mount", "--dynamodb-endpoint-url", "http://127.0.0.1:9", "local:data", "/mnt"}, "--dynamodb-endpoint-url does not go with local:"},
		{[]string{"mount", "--profile", "p", "local:data", "/mnt"}, "--profile does not go with local:"},
		{[]string{"mount", "--region", "r", "local:data", "/mnt"}, "--region does not go with local:"},
		{[]string{"mount", "--force-path-style", "local:data", "/mnt"}, "--force-path-style does not go with local:"},
		{[]string{"mount", "--spool-limit", "much", "bucket", "/mnt"}, "--spool-limit"},
		{[]string{"mount", "--spool-limit", "1023K", "bucket", "/mnt"}, "give it 1M or more"},
		{[]string{"mount", "--file-mode", "rw", "bucket", "/mnt"}, "--file-mode"},
		{[]string{"mount", "--dir-mode", "9", "bucket", "/mnt"}, "--dir-mode"},
		{[]string{"mount", "--umask", "-2", "bucket", "/mnt"}, "--umask"},
		{[]string{"mount", "--uid", "root", "bucket", "/mnt"}, "uid"},
		{[]string{"mount", "--gid", "4294967295", "bucket", "/mnt"}, "-gid: it has to be a number less than 4294967295"},
		{[]string{"mount", "--uid", "99999999999999999999", "bucket", "/mnt"}, "it has to be a number less than"},
		{[]string{"mount", "--gid", "-1", "bucket", "/mnt"}, "write for example 1000"},
		{[]string{"mount", "--umask", "x", "bucket", "/mnt"}, `--umask "x" is not an octal mode: write for example 022`},
		{[]string{"mount", "--log-level", "info+2", "bucket", "/mnt"}, "choose debug, info, warn or error"},
		{[]string{"mount", "--lock-timeout", "10", "bucket", "/mnt"}, "lock-timeout: a time has a unit: write 10s or 10m"},
		{[]string{"mount", "--metadata-ttl", "", "bucket", "/mnt"}, "metadata-ttl: it is no time, or too long a one: write for example 30s or 5m"},
		{[]string{"mount", "--flush-timeout", "10000000000h", "bucket", "/mnt"}, "too long"},
		{[]string{"mount", "-o", "lock_timeout=10", "bucket", "/mnt"}, "a time has a unit: write 10s or 10m"},
		{[]string{"mount", "-o", "uid=root", "bucket", "/mnt"}, "write for example 1000"},
		{[]string{"mount", "--uid", "", "bucket", "/mnt"}, "write for example 1000"},
		{[]string{"init", "--beat", "3", "bucket"}, "beat: a time has a unit: write 3s or 3m"},
		{[]string{"mount", "--region", "", "bucket", "/mnt"}, "--region is empty: leave it out, or write --region REGION"},
		{[]string{"mount", "--endpoint-url", "", "bucket", "/mnt"}, "--endpoint-url is empty: leave it out, or write --endpoint-url URL"},
		{[]string{"mount", "--dynamodb-endpoint-url=", "bucket", "/mnt"}, "--dynamodb-endpoint-url is empty"},
		{[]string{"mount", "--profile", "", "bucket", "/mnt"}, "--profile is empty"},
		{[]string{"mount", "--spool-limit", "", "bucket", "/mnt"}, "--spool-limit is empty: leave it out, or write --spool-limit BYTES"},
		{[]string{"mount", "--fsname", "", "bucket", "/mnt"}, "--fsname is empty"},
		{[]string{"mount", "-o", "region=", "bucket", "/mnt"}, "--region is empty"},
		{[]string{"init", "--profile", "", "bucket"}, "--profile is empty"},
		{[]string{"mount", "--endpoint-url", "localhost:9000", "bucket", "/mnt"}, `--endpoint-url "localhost:9000" is no URL: write http:// or https:// before it`},
		{[]string{"init", "--dynamodb-endpoint-url", "http:/x", "bucket"}, "write http://HOST:PORT or https://HOST"},
		{[]string{"-h", "moutn"}, `unknown command "moutn"`},
		{[]string{"mount", "--log-level", "loud", "bucket", "/mnt"}, "--log-level"},
		{[]string{"mount", "--state-dir", "", "bucket", "/mnt"}, "--state-dir"},
		{[]string{"init"}, "SOURCE is missing"},
		{[]string{"init", "--lock", "redis:x", "bucket"}, "--lock"},
		{[]string{"init", "--lock", "", "bucket"}, "--lock"},
		{[]string{"init", "--lock", "s3:bucket", "bucket"}, "is the bucket itself"},
		{[]string{"init", "--lock", "s3:other", "local:data"}, "does not go with local:"},
		{[]string{"init", "--profile", "p", "local:data"}, "--profile does not go with local:"},
		{[]string{"init", "s3://bucket/prefix/"}, "write s3://bucket/"},
		{[]string{"init", "--lock", "s3:other", "--dynamodb-endpoint-url", "http://127.0.0.1:9", "bucket"}, "--dynamodb-endpoint-url does not go with"},
		{[]string{"init", "--beat", "0s", "bucket"}, "--beat"},
		{[]string{"doctor"}, "SOURCE is missing"},
		{[]string{"doctor", "b"}, "names no bucket"},
		{[]string{"doctor", "bucket", "more"}, `"more" is too much`},
		{[]string{"doctor", "--profile", "p", "local:data"}, "--profile does not go with local:"},
		{[]string{"gc"}, "SOURCE is missing"},
		{[]string{"gc", "s3://bucket/prefix/"}, "write s3://bucket/"},
		{[]string{"gc", "--state-dir", "", "bucket"}, "--state-dir"},
		{[]string{"gc", "--region", "r", "local:data"}, "--region does not go with local:"},
		{[]string{"mount", "--fsname", strings.Repeat("n", 1025), "bucket", "/mnt"}, "choose a name of at most 1024"},
		{[]string{"log"}, "PATH is missing: write latchfs log [flags] PATH"},
		{[]string{"log", "s3://bucket/a", "s3://bucket/b"}, `"s3://bucket/b" is too much`},
		{[]string{"log", ""}, "a path is empty"},
		{[]string{"log", "s3://bucket/a", "-p", "--cat"}, "-p does not go with --cat"},
		{[]string{"log", "s3://bucket/a", "-p", "--json"}, "--json has no contents"},
		{[]string{"log", "s3://bucket/a", "--deleted"}, "--deleted needs -r"},
		{[]string{"log", "-r", "s3://bucket/a", "--deleted", "--cat"}, "--deleted has no contents"},
		{[]string{"log", "s3://bucket/a", "--since", "soon"}, `--since: "soon" is no time: write`},
		{[]string{"log", "s3://bucket/a", "--since", ""}, "--since is empty"},
		{[]string{"log", "--since", "2h"}, "PATH is missing"},
		{[]string{"log", "s3:///a"}, "names no bucket"},
		{[]string{"log", "s3://bucket/.latchfs/bucket.json"}, "the program's own"},
		{[]string{"log", "--endpoint-url", "nowhere", "s3://bucket/a"}, "--endpoint-url"},
		{[]string{"log", "local:/none/a"}, "in no folder that latchfs keeps a bucket in"},
		{[]string{"cat"}, "PATH is missing: write latchfs cat [flags] PATH[@REV]"},
		{[]string{"cat", "s3://bucket/a", "--version-id", ""}, "--version-id is empty"},
		{[]string{"diff"}, "PATH is missing"},
		{[]string{"diff", "s3://bucket/a", "s3://bucket/b", "s3://bucket/c"}, "is too much"},
		{[]string{"diff", "s3://bucket/a", "--json"}, "--json needs -r"},
		{[]string{"umount"}, "MOUNTPOINT is missing"},
		{[]string{"umount", "--state-dir", "/dev/null", "/mnt"}, "--state-dir /dev/null is not a directory"},
		{[]string{"mount", "--state-dir", "/dev/null", "bucket", "/mnt"}, "--state-dir /dev/null is not a directory"},
		{[]string{"umount", "s3://bucket"}, "name the directory that it is mounted at"},
		{[]string{"umount", "local:data"}, "name the directory that it is mounted at"},
		{[]string{"umount", "--force", "/mnt"}, "force"},
	} {
		code, out, errs := run(t, c.args...)
		if code != ExitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "latchfs: ") || !strings.Contains(errs, c.says) {
			t.Errorf("%q: exit code %d, printed %q and %q; want 2 and one line with %q", c.args, code, out, errs, c.says)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, c := range [][]string{{"--help"}, {"mount", "--help"}, {"init", "-h"}, {"umount", "--help"},
		{"mount", "-h", "x", "y"}, {"mount", "x", "y", "-h"}, {"mount", "--nonsense", "-h"}, {"-h", "mount"}, {"init", "x", "--help"}, {"doctor", "--help"}, {"gc", "-h"},
		{"log", "x", "-h"}, {"cat", "--help"}, {"diff", "--help"}} {
		if code, out, errs := run(t, c...); code != ExitOK || errs != "" || !strings.Contains(out, "latchfs") {
			t.Errorf("%q: exit code %d, %q, %q", c, code, out, errs)
		} else if strings.Contains(out, "default: 0s") || strings.Contains(out, "default: false") || strings.Contains(out, " value ") {
			t.Errorf("%q says nothing of a default or value:\n%s", c, out)
		}
	}
	if _, out, _ := run(t, "mount", "x", "-h"); !strings.Contains(out, "--spool-limit") {
		t.Errorf("the help of mount is not that of mount:\n%s", out)
	}
	if code, _, errs := run(t, "mount", "--", "x", "-h"); code != ExitUsage || !strings.Contains(errs, `SOURCE "x"`) {
		t.Errorf("-h after -- is no flag: exit code %d, %q", code, errs)
	}
	if code, out, _ := run(t, "--version"); code != ExitOK || !strings.Contains(out, Version) {
		t.Errorf("--version: exit code %d, %q", code, out)
	}
}
