package cli

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/internal/volume"
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
		{[]string{"mount", "bucket", "/mnt", "-f"}, "flag -f comes after an argument"},
		{[]string{"mount", "b", "/mnt"}, "names no bucket"},
		{[]string{"mount", "--lock-timeout", "soon", "bucket", "/mnt"}, "lock-timeout"},
		{[]string{"mount", "--lock-timeout", "0", "bucket", "/mnt"}, "--lock-timeout"},
		{[]string{"mount", "--flush-timeout", "-1s", "bucket", "/mnt"}, "--flush-timeout"},
		{[]string{"mount", "--metadata-ttl", "0s", "bucket", "/mnt"}, "--metadata-ttl"},
		{[]string{"mount", "--spool-limit", "much", "bucket", "/mnt"}, "--spool-limit"},
		{[]string{"mount", "--file-mode", "rw", "bucket", "/mnt"}, "--file-mode"},
		{[]string{"mount", "--dir-mode", "9", "bucket", "/mnt"}, "--dir-mode"},
		{[]string{"mount", "--umask", "-2", "bucket", "/mnt"}, "--umask"},
		{[]string{"mount", "--uid", "root", "bucket", "/mnt"}, "uid"},
		{[]string{"mount", "--gid", "4294967295", "bucket", "/mnt"}, "--gid"},
		{[]string{"mount", "--log-level", "loud", "bucket", "/mnt"}, "--log-level"},
		{[]string{"mount", "--state-dir", "", "bucket", "/mnt"}, "--state-dir"},
		{[]string{"init"}, "SOURCE is missing"},
		{[]string{"init", "--lock", "redis:x", "bucket"}, "--lock"},
		{[]string{"init", "--lock", "", "bucket"}, "--lock"},
		{[]string{"init", "--lock", "s3:bucket", "bucket"}, "is the bucket itself"},
		{[]string{"init", "--lock", "s3:other", "local:data"}, "does not go with local:"},
		{[]string{"init", "--beat", "0s", "bucket"}, "--beat"},
		{[]string{"umount"}, "MOUNTPOINT is missing"},
		{[]string{"umount", "--force", "/mnt"}, "force"},
	} {
		code, out, errs := run(t, c.args...)
		if code != ExitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "latchfs: ") || !strings.Contains(errs, c.says) {
			t.Errorf("%q: exit code %d, printed %q and %q; want 2 and one line with %q", c.args, code, out, errs, c.says)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, c := range [][]string{{"--help"}, {"mount", "--help"}, {"init", "-h"}, {"umount", "--help"}} {
		if code, out, errs := run(t, c...); code != ExitOK || errs != "" || !strings.Contains(out, "latchfs") {
			t.Errorf("%q: exit code %d, %q, %q", c, code, out, errs)
		} else if strings.Contains(out, "default: 0s") || strings.Contains(out, "default: false") || strings.Contains(out, " value ") {
			t.Errorf("%q says nothing of a default or value:\n%s", c, out)
		}
	}
	if code, out, _ := run(t, "--version"); code != ExitOK || !strings.Contains(out, Version) {
		t.Errorf("--version: exit code %d, %q", code, out)
	}
}

// parsed gives what the arguments of a command parse to.
func parsed[T any](t *testing.T, name string, flags []cli.Flag, parse func(*cli.Context) (T, error), args ...string) T {
	t.Helper()
	var got T
	app := &cli.App{Commands: []*cli.Command{{Name: name, Flags: flags, HideHelpCommand: true, Action: func(c *cli.Context) (err error) {
		got, err = parse(c)
		return err
	}}}}
	if err := app.Run(append([]string{"latchfs", name}, args...)); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestParseMount(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/xdg")
	got := parsed(t, "mount", mountFlags(), parseMount, "bucket:p", "/mnt/x")
	want := mountOptions{
		Source: volume.Source{Bucket: "bucket", Prefix: "p/"}, Mountpoint: "/mnt/x", StateDir: "/xdg/latchfs",
		LogLevel: slog.LevelInfo, MetadataTTL: time.Second, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
		FileMode: 0o644, DirMode: 0o755,
	}
	if os.Geteuid() == 0 {
		want.StateDir = "/var/lib/latchfs"
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("defaults: %+v\nwant %+v", got, want)
	}
	got = parsed(t, "mount", mountFlags(), parseMount, "-f", "--region", "r", "--endpoint-url", "http://e", "--dynamodb-endpoint-url", "http://d",
		"--profile", "p", "--force-path-style", "--lock-timeout", "1m", "--flush-timeout", "2m", "--state-dir", "/state", "--spool-limit", "1G",
		"--uid", "1", "--gid", "2", "--file-mode", "600", "--dir-mode", "700", "--umask", "077", "--allow-other", "--read-only",
		"--metadata-ttl", "3s", "--log-level", "debug", "s3://bucket", "/mnt/x")
	want = mountOptions{
		Source: volume.Source{Bucket: "bucket"}, Mountpoint: "/mnt/x", StateDir: "/state", Foreground: true, LogLevel: slog.LevelDebug,
		Access:      volume.Access{Region: "r", Endpoint: "http://e", DynamoDBEndpoint: "http://d", Profile: "p", PathStyle: true},
		LockTimeout: time.Minute, FlushTimeout: 2 * time.Minute, MetadataTTL: 3 * time.Second, SpoolLimit: 1 << 30,
		UID: 1, GID: 2, FileMode: 0o600, DirMode: 0o700, Umask: 0o077, AllowOther: true, ReadOnly: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("all flags: %+v\nwant %+v", got, want)
	}
}

func TestParseInit(t *testing.T) {
	got := parsed(t, "init", initCommand(Stdio{}).Flags, parseInit, "--lock", "dynamodb:my.table", "--beat", "1s", "--lease", "10s", "--delay", "5s", "--yes", "bucket")
	if got.Init.Table == nil || *got.Init.Table != (volume.TableName{Backend: volume.BackendDynamo, Table: "my.table"}) || !got.Yes || got.Source.Bucket != "bucket" ||
		got.Init.Timing.Beat != time.Second || got.Init.Timing.Lease != 10*time.Second || got.Init.Timing.Delay != 5*time.Second {
		t.Errorf("%+v", got)
	}
}

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{
		ExitOK: nil, ExitFailed: errors.New("x"), ExitUsage: fmt.Errorf("more: %w", usagef("x")),
		ExitUnsaved: fmt.Errorf("more: %w", &unsavedError{"x"}), 7: &reportedError{7},
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: exit code %d, want %d", err, got, want)
		}
	}
}

func TestOneLine(t *testing.T) {
	err := errors.Join(errors.New("first\n\tcause"), errors.New("second\n"))
	if got, want := oneLine(err), "first; cause; second"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCheckMountpoint(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		filepath.Join(dir, "absent"):      "mkdir -p",
		filepath.Join(dir, "absent", "x"): "mkdir -p",
		file:                              "not a directory",
		"/proc":                           "busy",
		dir:                               "not empty",
	} {
		if _, err := checkMountpoint(path, log); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want its name and %q", path, err, says)
		}
	}
	if got, err := checkMountpoint(t.TempDir(), log); err != nil || got == "" {
		t.Errorf("an empty directory: %q, %v", got, err)
	}
}

func TestAllowsOther(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "fuse.conf")
	if allowsOther(conf) {
		t.Error("without fuse.conf")
	}
	for text, want := range map[string]bool{
		"": false, "#user_allow_other\n": false, "mount_max = 1000\n user_allow_other \n": true, "user_allow_other": true,
	} {
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := allowsOther(conf); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestNothingOfTheMountLiesInIt(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		o  mountOptions
		ok bool
	}{
		{mountOptions{Mountpoint: dir, StateDir: "/elsewhere"}, true},
		{mountOptions{Mountpoint: dir, StateDir: dir + "-beside"}, true},
		{mountOptions{Mountpoint: dir, StateDir: filepath.Join(dir, "not", "yet")}, false},
		{mountOptions{Mountpoint: dir, StateDir: dir}, false},
		{mountOptions{Mountpoint: dir, StateDir: "/elsewhere", Source: volume.Source{Local: filepath.Join(dir, "data")}}, false},
		{mountOptions{Mountpoint: filepath.Join(dir, "mnt"), StateDir: "/elsewhere", Source: volume.Source{Local: dir}}, true},
	} {
		if err := checkOutside(c.o); (err == nil) != c.ok {
			t.Errorf("mount point %s, state %s, local %s: %v", c.o.Mountpoint, c.o.StateDir, c.o.Source.Local, err)
		}
	}
}

func TestLogIsHeldBackUntilMounted(t *testing.T) {
	var before, after bytes.Buffer
	out, log := newMountLog(slog.LevelInfo, &before)
	log.Info("early")
	log.Debug("unwanted")
	if before.Len() != 0 {
		t.Errorf("said before it was mounted: %q", before.String())
	}
	out.release(&after)
	log.Info("late")
	if s := after.String(); !strings.Contains(s, "early") || !strings.Contains(s, "late") || strings.Contains(s, "unwanted") || strings.Index(s, "early") > strings.Index(s, "late") {
		t.Errorf("log: %q", s)
	}
	before.Reset()
	_, log = newMountLog(slog.LevelDebug, &before)
	log.Debug("at once")
	if !strings.Contains(before.String(), "at once") {
		t.Error("with --log-level debug lines are held back")
	}
}
