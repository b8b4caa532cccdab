package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/integration/harness"
)

// A doctorLine is a line of doctor --json, as docs/DOCTOR.md has it.
type doctorLine struct {
	Check, Action, Status, Found, Advice string
	Count                                int
	Keys                                 []string
}

// A doctorReport is what doctor said.
type doctorReport struct {
	harness.Output
	lines []doctorLine
}

// doctor runs doctor --json without trying the server. What it prints has to be documented, and to agree with its exit code.
func doctor(b *harness.Bucket, prefix ...string) doctorReport {
	b.Helper()
	r := doctorReport{Output: b.Latchfs(doctorArgs(b, "--json", "--no-probe", strings.Join(prefix, ""))...)}
	r.read(b)
	return r
}

// doctorArgs is the command line of doctor; the last word is the prefix.
func doctorArgs(b *harness.Bucket, words ...string) []string {
	last := len(words) - 1
	args := append([]string{"doctor"}, words[:last]...)
	return append(append(args, b.ConnectionFlags()...), b.Source()+"/"+words[last])
}

// read reads the lines.
func (r *doctorReport) read(b *harness.Bucket) {
	b.Helper()
	failed := false
	for line := range strings.Lines(r.Out) {
		var l doctorLine
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		b.Must(d.Decode(&l))
		if (l.Advice == "") != (l.Status == "ok") && l.Status != "fail" {
			b.Errorf("what to do does not go with the status: %s", line)
		}
		failed = failed || l.Status == "fail"
		r.lines = append(r.lines, l)
	}
	if len(r.lines) == 0 || r.Err != "" || (r.Code == 1) != failed || r.Code > 1 {
		b.Errorf("doctor: exit code %d, %q\n%s", r.Code, r.Err, r.Out)
	}
}

// wants checks one line of the report.
func (r doctorReport) wants(t testing.TB, check, status, says string) doctorLine {
	t.Helper()
	i := slices.IndexFunc(r.lines, func(l doctorLine) bool { return l.Check == check })
	if i < 0 {
		t.Errorf("no line %s:\n%s", check, r.Out)
		return doctorLine{}
	}
	l := r.lines[i]
	if l.Status != status || !strings.Contains(l.Found+"; "+l.Advice, says) {
		t.Errorf("%+v, want %s with %q", l, status, says)
	}
	return l
}

// healthy checks that every line is ok, in the order in which they always come.
func (r doctorReport) healthy(t testing.TB) {
	t.Helper()
	var checks []string
	for _, l := range r.lines {
		// Through a proxy the server is not known, and was not to be tried.
		if l.Status != "ok" && !strings.HasSuffix(l.Found, "was not tried: --no-probe") {
			t.Errorf("of a bucket as init makes it: %+v", l)
		}
		if !strings.Contains(l.Check, "server-") && l.Check != "lock-server" && l.Check != "lock-probe-leftovers" {
			checks = append(checks, l.Check)
		}
	}
	checks = slices.Compact(checks)
	want := []string{"bucket", "clock", "versioning", "object-lock", "lifecycle", "bond", "lock-table", "permission", "lock-permission", "server",
		"unnameable-keys", "markers-with-bytes", "file-and-directory", "versions-names",
		"stray-uploads", "probe-leftovers"}
	if !slices.Equal(checks, want) {
		t.Errorf("checks %q, want %q", checks, want)
	}
}
