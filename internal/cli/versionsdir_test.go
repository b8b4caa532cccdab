package cli

import (
	"strings"
	"testing"
)

// A name for .versions that no directory can have, or that is taken, is said to be wrong.
func TestVersionsDirIsAName(t *testing.T) {
	for _, name := range []string{"a/b", "/", ".", "..", ".latchfs", "a\nb", "a\x00", "\xff", strings.Repeat("n", 256), ""} {
		for _, args := range [][]string{{"mount", "--versions-dir", name, "s3://bucket", "/mnt"}, {"doctor", "--versions-dir", name, "s3://bucket"}} {
			code, out, errs := run(t, args...)
			if code != ExitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "--versions-dir") {
				t.Errorf("%q: exit code %d, %q, %q", args, code, out, errs)
			}
		}
	}
	code, _, errs := run(t, "mount", "--show-versions", "--versions-dir", "off", "s3://bucket", "/mnt")
	if code != ExitUsage || !strings.Contains(errs, "leave one of them out") {
		t.Errorf("exit code %d, %q", code, errs)
	}
	for _, name := range []string{"off", ".history", "Versionen der Datei", ".versions"} {
		if got := parsed(t, "mount", mountFlags(), parseMount, "--versions-dir", name, "bucket", "/mnt"); got.VersionsDir != name {
			t.Errorf("%q is %q", name, got.VersionsDir)
		}
	}
}
