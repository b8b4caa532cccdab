package cli

import (
	"log/slog"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/latchfs/latchfs/internal/mount"
	"github.com/latchfs/latchfs/internal/volume"
)

func TestParseMount(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/xdg")
	got := parsed(t, "mount", mountFlags(), parseMount, "bucket:p", "/mnt/x")
	want := mountOptions{LogLevel: slog.LevelInfo, Options: mount.Options{
		Source: volume.Source{Bucket: "bucket", Prefix: "p/"}, Mountpoint: "/mnt/x", StateDir: "/xdg/latchfs",
		Version: Version, MetadataTTL: time.Second, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
		FileMode: 0o644, DirMode: 0o755, VersionsDir: ".versions",
	}}
	if os.Geteuid() == 0 {
		want.StateDir = "/var/lib/latchfs"
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("defaults: %+v\nwant %+v", got, want)
	}
	got = parsed(t, "mount", mountFlags(), parseMount, "-f", "--region", "r", "--endpoint-url", "http://e", "--dynamodb-endpoint-url", "http://d",
		"--profile", "p", "--force-path-style", "--lock-timeout", "1m", "--flush-timeout", "2m", "--state-dir", "/state", "--spool-limit", "1G",
		"--uid", "1", "--gid", "2", "--file-mode", "600", "--dir-mode", "700", "--umask", "077", "--allow-other", "--read-only", "--accept-degraded",
		"--show-versions", "--versions-dir", ".history",
		"--metadata-ttl", "3s", "--log-level", "debug", "s3://bucket", "/mnt/x")
	want = mountOptions{Foreground: true, LogLevel: slog.LevelDebug, Options: mount.Options{
		Source: volume.Source{Bucket: "bucket"}, Mountpoint: "/mnt/x", StateDir: "/state", Version: Version,
		Access:      volume.Access{Region: "r", Endpoint: "http://e", DynamoDBEndpoint: "http://d", Profile: "p", PathStyle: true},
		LockTimeout: time.Minute, FlushTimeout: 2 * time.Minute, MetadataTTL: 3 * time.Second, SpoolLimit: 1 << 30,
		UID: 1, GID: 2, FileMode: 0o600, DirMode: 0o700, Umask: 0o077, AllowOther: true, ReadOnly: true, AcceptDegraded: true,
		ShowVersions: true, VersionsDir: ".history",
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("all flags: %+v\nwant %+v", got, want)
	}
	if got := parsed(t, "mount", mountFlags(), parseMount, "--metadata-ttl", "0", "bucket", "/mnt/x"); got.MetadataTTL != 0 {
		t.Errorf("--metadata-ttl 0 is %s", got.MetadataTTL)
	}
}
