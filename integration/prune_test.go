package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// TestLabelAndPrune: what a person labels stays when old versions go, on a mount and without one.
func TestLabelAndPrune(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	e.Sh(h.Mountpoint, "mkdir d; for i in 1 2 3 4; do echo $i > f; echo $i > 'd/g h'; done; chmod 600 f; echo x > d/deleted; echo xx > d/deleted; rm d/deleted")
	run := func(args ...string) harness.Output {
		t.Helper()
		return b.Latchfs(append(args, b.ConnectionFlags()...)...)
	}
	want := func(o harness.Output, code int, out, err string) {
		t.Helper()
		for _, c := range [][2]string{{o.Out, out}, {o.Err, err}} {
			if o.Code != code || !regexp.MustCompile(c[1]).MatchString(c[0]) {
				t.Errorf("exit code %d, want %d; %q is to match %q", o.Code, code, c[0], c[1])
			}
		}
	}
	f := b.Source() + "/f"
	second := b.VersionsOf("f")[1].ID

	// By a version, by what is current of a tree, and again.
	want(run("label", "two", f+"@"+second), 0, `^$`, `^$`)
	want(run("label", "two", f+"@two"), 0, `^$`, `^$`)
	want(b.Latchfs("label", "-r", "release", h.Path("d")), 0, `^$`, `^$`)
	o := run("label", "--json", "also", "--version-id", second, f)
	var line struct{ Label, Path, VersionID string }
	if err := json.Unmarshal([]byte(strings.ReplaceAll(o.Out, "version_id", "VersionID")), &line); err != nil || o.Code != 0 || line.Label != "also" || line.Path != f || line.VersionID != second {
		t.Errorf("label --json: exit code %d, %v, %q %q", o.Code, err, o.Out, o.Err)
	}
	want(run("cat", f+"@two"), 0, `^2\n$`, `^$`)
	want(b.Latchfs("cat", h.Path("d", "g h")+"@release"), 0, `^4\n$`, `^$`)
	want(run("label", "--list", f), 0, `(?s)^LABEL .*\ntwo .*Z +`+second+` +`+regexp.QuoteMeta(f)+`\nalso .*\n$`, `^$`)
	want(run("label", "-r", "-l", b.Source()+"/"), 0, `(?s)release .*/d/\n.*release .*"?g h"?\n`, `^$`)
	if n := len(b.VersionsOf("f")); n != 5 {
		t.Errorf("labels made versions: %d", n)
	}
	want(run("diff", "-r", b.Source()+"/d/@release"), 0, `^$`, `^$`)
	e.Sh(h.Mountpoint, "sleep 1; echo later > d/new; echo 9 > 'd/g h'")
	want(b.Latchfs("diff", "-r", h.Path("d")+"@release"), 0, `(?s)^M.*g h.*A.*new|A.*new.*M.*g h`, `^$`)
	want(b.Latchfs("restore", "-r", "-n", h.Path("d")+"@release"), 0, `(?s)g h`, ``)
	e.Sh(h.Mountpoint, "echo 4 > 'd/g h'; rm d/new")
	// A new version does not take it along.
	e.Sh(h.Mountpoint, "echo 5 > f; chmod 644 f; cp f copy; mv copy moved")
	want(run("cat", f+"@also"), 0, `^2\n$`, `^$`)

	// Who has the file open for write is waited for.
	w, err := os.OpenFile(h.Path("f"), os.O_WRONLY, 0)
	e.Must(err)
	want(run("label", "three", "--lock-timeout", "1s", f), 5, `^$`, `open for write or locked at one`)
	want(run("prune", "--yes", "--keep-last", "1", "--lock-timeout", "1s", f), 5, `^$`, `open for write or locked at one`)
	e.Must(w.Close())

	// A dry run, and the run.
	sizes := func(key string) string {
		all := ""
		for _, v := range b.VersionsOf(key) {
			all += fmt.Sprint(v.Size, " ")
		}
		return all
	}
	want(run("prune", "--keep-last", "2", f), 0, `(?s)^TIME \(UTC\) .*label two, also.*`, `(?s)^latchfs: 4 versions of 8 B?.* and 0 deletions would be removed; 1 are kept by a label or Object Lock; .*lifecycle set --expire-versions 1d --keep-versions 1 .*s3://`)
	if got := sizes("f"); got != "2 2 2 2 2 2 2 " {
		t.Errorf("a dry run left %q", got)
	}
	want(run("prune", "--yes", "--keep-last", "2", f), 0, `^$`, `4 versions of .* and 0 deletions removed; 1 are kept`)
	if got := sizes("f"); got != "2 2 2 " || b.VersionsOf("f")[0].ID != second {
		t.Errorf("left are %q", got)
	}
	want(b.Latchfs("prune", "-r", "--yes", "--json", h.Mountpoint, "--keep-last=1"), 0, `"path":"[^"]*/d/g h","version_id":"[^"]*","time":"[^"]*Z","size":2,"deleted":false,"removed":true}`, `removed; 2 are kept`)
	want(run("cat", b.Source()+"/d/deleted@~1"), 0, `^xx\n$`, `^$`)
	want(run("undelete", b.Source()+"/d/deleted"), 0, ``, `^$`)
	e.Eventually(5*time.Second, func() error { return equal(e.Sh(h.Mountpoint, "cat d/deleted f"), "xx\n5\n") })
	want(run("prune", "-r", "--keep-last", "1", b.Source()+"/"), 0, `(?s)^TIME.*label two, also`, `0 versions of 0.* would be removed`)

	// Labels that are taken away.
	want(run("label", "--remove", "two", f), 0, `^$`, `^$`)
	want(run("label", "--remove", "two", f), 1, `^$`, `no version of .* has the label two`)
	want(run("cat", f+"@two"), 1, `^$`, `no label, id or name of a version`)
	want(run("label", "-r", "--remove", "release", b.Source()+"/"), 0, `^$`, `^$`)
	want(run("label", "-r", "--list", b.Source()+"/d/"), 0, `^$`, `^$`)
	want(run("label", "-r", "--remove", "release", b.Source()+"/d/"), 1, `^$`, `has the label release`)
	want(run("diff", "-r", b.Source()+"/d/@release"), 2, `^$`, `a time is named, or a label`)

	// Roles that may not do it, and wrong words.
	p := b.Proxy()
	denied := b.Through(p.URL)
	p.Inject(func(r *http.Request) harness.Fault {
		if r.URL.Query().Has("tagging") || r.Method == http.MethodDelete && r.URL.Query().Has("versionId") {
			return harness.Denied
		}
		return harness.Pass
	})
	asDenied := func(args ...string) harness.Output {
		return denied.Latchfs(append(args, denied.ConnectionFlags()...)...)
	}
	want(asDenied("label", "a", f), 1, `^$`, `allow s3:GetObjectVersionTagging, s3:PutObjectVersionTagging`)
	want(asDenied("prune", "--keep-last", "1", "--yes", f), 1, `^$`, `allow s3:GetObjectVersionTagging on arn`)
	p.Inject(func(r *http.Request) harness.Fault {
		if r.Method == http.MethodDelete && r.URL.Query().Has("versionId") {
			return harness.Held
		}
		return harness.Pass
	})
	want(run("label", "--remove", "also", f), 0, `^$`, `^$`)
	want(asDenied("prune", "--keep-last", "1", "--yes", f), 0, `^$`, `0 versions .* removed; 1 are kept by a label or Object Lock`)
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"label", 2, "NAME and PATH are wanted"},
		{"label 1st " + f, 2, "begins with a letter"},
		{"label prev " + f, 2, "choose another label"},
		{"label a:b " + f, 2, "letters, digits"},
		{"label a " + b.Source() + "/none", 1, "nothing is, or was"},
		{"label a " + b.Source() + "/d", 2, "add -r"},
		{"label -r a " + b.Source() + "/none/", 1, "no file is below"},
		{"label -r a " + b.Source() + "/d@2h", 2, "leave out @2h"},
		{"label --list a " + f, 2, "--list PATH"},
		{"label --list --remove a " + f, 2, "do not go together"},
		{"prune " + f, 2, "nothing says what is to stay"},
		{"prune --keep-last 0 " + f, 2, "1 or more"},
		{"prune --older-than 5 " + f, 2, "no age"},
		{"prune --older-than 2020-01-01 " + f, 2, "no age"},
		{"prune --keep-within 0d " + f, 2, "no age"},
		{"prune --keep-last 1 " + b.Source() + "/none", 1, "nothing is, or was"},
		{"prune --keep-last 1 " + b.Source() + "/d", 2, "add -r"},
		{"prune --keep-last 1 " + f + "@2h", 2, "leave out @2h"},
	} {
		if o := run(strings.Fields(c.args)...); o.Code != c.code || !strings.Contains(o.Err, c.says) || !oneLine(o.Err) {
			t.Errorf("latchfs %s: exit code %d, %q", c.args, o.Code, o.Err)
		}
	}
}
