package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/latchfs/latchfs/internal/lifecycle"
	"github.com/latchfs/latchfs/store"
)

// What --json prints is an interface: names and forms are those of the samples.
func TestHistoryLines(t *testing.T) {
	const version = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"
	var label, prune, rules bytes.Buffer
	abort := 7
	for _, err := range []error{
		printJSON(&label, []labelLine{
			{Label: "release", Path: "/mnt/a <b>", VersionID: version, Time: "2026-11-22T18:29:05Z"},
			{Label: "release", Path: "s3://b/a", VersionID: version, Time: "2026-11-22T18:29:05Z", Error: "it is open for write", Code: 5},
		}),
		printJSON(&prune, []pruneLine{
			{Path: "/mnt/a", VersionID: version, Time: "2026-11-22T18:29:05Z", Size: 7},
			{Path: "/mnt/a", VersionID: version, Time: "2026-11-22T18:29:05Z", Size: 7, Removed: true},
			{Path: "/mnt/a", VersionID: version, Time: "2026-11-22T18:29:05Z", Size: 7, Kept: "label release"},
			{Path: "/mnt/a", VersionID: version, Time: "2026-11-22T18:29:05Z", Deleted: true, Removed: true},
			{Path: "/mnt/a", Error: "it is open for write", Code: 5},
		}),
		listRules(&rules, lifecycle.Wanted{Expire: &lifecycle.Expire{Days: 90, Keep: 1}, Abort: &abort}.Apply(store.Lifecycle{}), true),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, got := range map[string]string{"label.jsonl": label.String(), "prune.jsonl": prune.String(), "lifecycle.jsonl": rules.String()} {
		want, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil || got != string(want) {
			t.Errorf("%v, %s is\n%swant\n%s", err, name, got, want)
		}
	}
}
