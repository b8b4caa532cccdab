package cli

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// A time of the past makes the mount read-only, by the flag and in /etc/fstab; without a zone it is
// local time.
func TestMountAsOf(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	time.Local = berlin
	for _, args := range [][]string{
		{"--as-of", "2020-11-22T18:29"}, {"-o", "as_of=2020-11-22T18:29"}, {"-o", "rw,as-of=2020-11-22T18.29,nofail"},
		{"--as-of", "2020-11-22T17.29.00Z", "--read-only=false"},
	} {
		got := parsed(t, "mount", mountFlags(), parseMount, append(args, "s3://bucket", "/mnt/x")...)
		if want := time.Date(2020, 11, 22, 17, 29, 0, 0, time.UTC); !got.AsOf.Equal(want) || !got.ReadOnly {
			t.Errorf("%q: as of %v, read-only: %v", args, got.AsOf, got.ReadOnly)
		}
	}
	before := time.Now()
	got := parsed(t, "mount", mountFlags(), parseMount, "--as-of", "90m", "s3://bucket", "/mnt/x")
	if ago := before.Sub(got.AsOf); ago > 90*time.Minute || ago < 89*time.Minute {
		t.Errorf("90m is %v ago", ago)
	}
	for s, says := range map[string]string{"tomorrow": "is no time", "2999-01-01": "is in the future", "2020-03-29T02:30": "does not exist in the zone Europe/Berlin"} {
		code, out, errs := run(t, "mount", "--as-of", s, "s3://bucket", "/mnt/x")
		if code != ExitUsage || out != "" || !strings.Contains(errs, "--as-of ") || !strings.Contains(errs, says) || strings.Count(errs, "\n") != 1 {
			t.Errorf("--as-of %s: exit code %d, %q, %q", s, code, out, errs)
		}
	}
}
