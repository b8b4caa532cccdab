package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/change"
	"github.com/latchfs/latchfs/internal/prune"
	"github.com/latchfs/latchfs/internal/restore"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
)

// A changer is a shelf whose files commands change.
type changer struct {
	*shelf
	locks *memtable.Server
	s     *change.Session
}

func newChanger(t *testing.T) *changer {
	c := &changer{shelf: newShelf(t), locks: memtable.NewServer()}
	c.s = c.session("alpha", time.Minute)
	t.Cleanup(func() { c.s.Close() })
	return c
}

// session gives a session of a host that waits so long for names that others have.
func (c *changer) session(host string, wait time.Duration) *change.Session {
	m := lockmgr.New(c.locks.Table(), lockmgr.Config{Schema: 1, ID: "t", Timing: lockmgr.Timing{Beat: time.Second, Lease: 20 * time.Second, Delay: time.Second}},
		lockmgr.Options{BucketID: "b", Name: host, Host: host, User: "ann", PID: 7})
	return change.New(c.bucket, m, "", 10*time.Second, change.Options{Host: host, LockTimeout: wait})
}

// run runs a command on a place.
func (c *changer) run(cmd *cli.Command, flags string, p place, do func(*fileCommand, *restore.Restorer, place) error) (code int, out, errs string) {
	c.Helper()
	c.now = c.now.Add(time.Minute)
	return c.do(cmd, flags, func(f *fileCommand) error {
		if cmd.Name == "restore" {
			if err := f.restoreFlags(); err != nil {
				return err
			}
		}
		r, err := restore.New(c.Context(), c.bucket, c.s)
		if err != nil {
			return err
		}
		return do(f, r, p)
	})
}

func (c *changer) restore(flags string, p place) (code int, out, errs string) {
	c.Helper()
	return c.run(restoreCommand(Stdio{}), flags, p, func(f *fileCommand, r *restore.Restorer, p place) error {
		if f.Bool("r") {
			return f.restoreTree(c.Context(), r, p)
		}
		to := p
		if f.IsSet("to") {
			to.Key = f.String("to")
		}
		return f.restoreFile(c.Context(), r, p, to)
	})
}

func (c *changer) undelete(flags string, p place) (code int, out, errs string) {
	c.Helper()
	return c.run(undeleteCommand(Stdio{}), flags, p, func(f *fileCommand, r *restore.Restorer, p place) error { return f.undelete(c.Context(), r, p) })
}

func (c *changer) undo(flags string, p place) (code int, out, errs string) {
	c.Helper()
	return c.run(undoCommand(Stdio{}), flags, p, func(f *fileCommand, r *restore.Restorer, p place) error { return f.undo(c.Context(), r, p) })
}

// The output is an interface, in JSON and as a table.
func TestRestoreOutput(t *testing.T) {
	for _, json := range []bool{false, true} {
		flag, suffix := "", ".txt"
		if json {
			flag, suffix = "--json ", ".jsonl"
		}
		c := newChanger(t)
		c.fill()
		at := c.now.Add(-9*time.Minute - 30*time.Second).Format(time.RFC3339)
		var all strings.Builder
		for _, step := range []func() (int, string, string){
			func() (int, string, string) { return c.restore(flag+"-n", c.at("d/f", "")) },
			func() (int, string, string) { return c.restore(flag, c.at("d/f", "")) },
			func() (int, string, string) { return c.restore(flag+"--to d/copies/", c.at("d/f", "first")) },
			func() (int, string, string) { return c.undo(flag, c.at("d/f", "")) },
			func() (int, string, string) { return c.undelete(flag, c.at("d/gone/y", "")) },
			func() (int, string, string) { return c.undo(flag, c.at("d/copies/f", "")) },
			func() (int, string, string) { return c.undelete(flag+"-r", c.at("d", "")) },
			func() (int, string, string) { return c.restore(flag+"-r -n --delete", c.at("d", at)) },
			func() (int, string, string) { return c.restore(flag+"-r --delete", c.at("d", at)) },
			func() (int, string, string) { return c.restore(flag+"-r --delete", c.at("d", at)) },
		} {
			code, out, errs := step()
			if code != 0 {
				t.Errorf("exit code %d", code)
			}
			all.WriteString(sorted(out) + errs + "\n")
		}
		sample(t, "restore"+suffix, all.String())
	}
}

// sorted brings the lines of output into an order, below a header: steps run side by side.
func sorted(s string) string {
	lines := strings.SplitAfter(s, "\n")
	if strings.HasPrefix(s, "{") {
		slices.Sort(lines)
	} else {
		slices.Sort(lines[1:])
	}
	return strings.Join(lines, "")
}

// Each failure is named, and the highest exit code counts; nothing else is held up.
func TestRestoreFails(t *testing.T) {
	c := newChanger(t)
	for _, key := range []string{"d/a", "d/b", "d/c"} {
		c.foreign(key, "old")
	}
	at := c.now.Format(time.RFC3339)
	for _, key := range []string{"d/a", "d/b", "d/c"} {
		c.foreign(key, "new!")
	}
	other := c.session("beta", time.Minute)
	defer other.Close()
	patient := c.s
	defer func() { c.s = patient }()
	c.s = c.session("gamma", 2*time.Second) // long enough for what nobody has, on a loaded machine too
	defer c.s.Close()
	err := other.Locked(t.Context(), "d/b", func(*file.Locked) error {
		code, out, errs := c.restore("-r", c.at("d", at))
		if code != ExitLocked || out != "" || !strings.Contains(errs, "s3://bucket/d/b: it is open for write or locked at beta (ann, pid 7)") || !strings.Contains(errs, "2 of 3 changed") {
			t.Errorf("%d, %q, %q", code, out, errs)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	s := restore.Step{Key: "d/a", Do: restore.Restore, From: c.mem.History("d/a")[0].Info}
	code, _, errs := c.run(restoreCommand(Stdio{}), "", c.at("d/a", ""), func(f *fileCommand, r *restore.Restorer, p place) error {
		return f.carryOut(t.Context(), r, p, restore.Plan{Steps: []restore.Step{s}})
	})
	if code != ExitChanged || !strings.Contains(errs, "s3://bucket/d/a: somebody saved or removed it meanwhile") {
		t.Errorf("%d, %q", code, errs)
	}
	c.mem.PutForeignProps("ice", "old", store.Props{StorageClass: "GLACIER"}, "")
	c.foreign("ice", "new")
	for _, tt := range []struct {
		code int
		say  string
		run  func() (int, string, string)
	}{
		{ExitFailed, "storage class GLACIER", func() (int, string, string) { return c.restore("", c.at("ice", "")) }},
		{ExitFailed, "is in the way", func() (int, string, string) { return c.restore("--to d", c.at("ice", "~0")) }},
		{ExitFailed, "is a file now", func() (int, string, string) { return c.restore("--to ice/x", c.at("d/a", "first")) }},
		{ExitFailed, "nothing is, or was, at /mnt/none", func() (int, string, string) { return c.restore("", c.at("none", "")) }},
		{ExitFailed, "nothing to do: no version with other content", func() (int, string, string) { return c.restore("", c.at("only", "")) }},
		{ExitFailed, "is not deleted", func() (int, string, string) { return c.undelete("", c.at("d/a", "")) }},
		{ExitFailed, "it has 1 versions", func() (int, string, string) { return c.undo("--last 2", c.at("only", "")) }},
		{ExitFailed, "nothing is known to have been", func() (int, string, string) { return c.restore("-r", c.at("d", "2020-01-01")) }},
		{ExitUsage, "is a directory: add -r", func() (int, string, string) { return c.restore("", c.at("d", "")) }},
		{ExitUsage, "is a directory: add -r", func() (int, string, string) { return c.undelete("", c.at("d", "")) }},
		{ExitUsage, "write latchfs restore -r /mnt/d@TIME", func() (int, string, string) { return c.undo("", c.at("d", "")) }},
		{ExitUsage, "a time is missing", func() (int, string, string) { return c.restore("-r", c.at("d", "")) }},
		{ExitUsage, "a time is named", func() (int, string, string) { return c.restore("-r", c.at("d", "noon")) }},
		{ExitUsage, "--delete goes with -r", func() (int, string, string) { return c.restore("--delete", c.at("d/a", "")) }},
		{ExitUsage, "--to does not go with -r", func() (int, string, string) { return c.restore("-r --to x", c.at("d", "1h")) }},
	} {
		if tt.say == "nothing to do: no version with other content" {
			c.foreign("only", "x")
		}
		if code, _, errs := tt.run(); code != tt.code || !strings.Contains(errs, tt.say) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", tt.say, code, errs)
		}
	}
}

// What names or keeps the old version alone does not come along, and it is said.
func TestRestoreLeavesLocksAndLabels(t *testing.T) {
	c := newChanger(t)
	c.mem.PutForeignProps("f", "old", store.Props{}, "a=1")
	c.foreign("f", "new")
	id := c.mem.History("f")[0].Info.VersionID
	c.mem.Lock("f", id, store.Lock{Hold: true})
	err := c.bucket.Label(t.Context(), always{}, "f", id, func([]string) []string { return []string{"release"} })
	if err != nil {
		t.Fatal(err)
	}
	code, _, errs := c.restore("", c.at("f", "first"))
	if code != 0 || !strings.Contains(errs, "a legal hold stays with 1 old versions") {
		t.Errorf("%d, %q", code, errs)
	}
	now, err := c.bucket.Head(t.Context(), "f", "")
	if err != nil || now.Lock != (store.Lock{}) || now.Props.TagCount != 1 {
		t.Errorf("%+v, %v", now, err)
	}
	if labels, err := c.bucket.Labels(t.Context(), "f", ""); err != nil || len(labels) > 0 {
		t.Errorf("labels %q, %v", labels, err)
	}
	if code, _, errs := c.restore("", c.at("f", "~1")); code != 0 || errs != "" {
		t.Errorf("of one that nothing keeps: %d, %q", code, errs)
	}
}

// What is said to do about a tree can be done with a tree.
func TestRestoreTreeInTheWay(t *testing.T) {
	c := newChanger(t)
	c.foreign("d/a", "file")
	c.foreign("d/b/c", "file in a directory")
	at := c.now.Format(time.RFC3339)
	c.remove("d/a")
	c.remove("d/b/c")
	c.foreign("d/a/x", "")
	c.foreign("d/b", "")
	code, _, errs := c.restore("-r", c.at("d", at))
	if code != ExitFailed || strings.Count(errs, "move ") != 2 || strings.Contains(errs, "--to") {
		t.Errorf("%d, %q", code, errs)
	}
}

// A rule is named only to those whose server may have one.
func TestPruneNamesARule(t *testing.T) {
	c := newChanger(t)
	c.foreign("f", "1")
	c.foreign("f", "2")
	for source, want := range map[volume.Source]bool{{Bucket: "bucket"}: true, {Bucket: "data", Local: "/d"}: false} {
		p := c.at("f", "")
		p.Volume = &volume.Volume{Source: source, Bucket: c.bucket}
		code, _, errs := c.do(pruneCommand(Stdio{}), "--keep-last 1", func(f *fileCommand) error {
			return f.prune(t.Context(), p, &prune.Pruner{Policy: prune.Policy{KeepLast: 1}, Objects: c.bucket})
		})
		if code != 0 || !strings.Contains(errs, "1 versions of 1 B") || strings.Contains(errs, "latchfs lifecycle set") != want {
			t.Errorf("%v: %d, %q", source, code, errs)
		}
	}
}

// An age is one by the server's clock; that of this host is an hour behind, or ahead.
func TestAgesAreTheServers(t *testing.T) {
	c := newChanger(t)
	c.foreign("d/f", "old")
	c.now = c.now.Add(10 * time.Minute)
	c.foreign("d/f", "new")
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		var file history.Version
		var dir time.Time
		_, _, errs := c.do(catCommand(Stdio{}), "", func(f *fileCommand) (err error) {
			f.now = f.now.Add(skew)
			if file, err = f.version(t.Context(), c.at("d/f", "5m")); err == nil {
				dir, err = f.moment(t.Context(), c.at("d", "5m"))
			}
			return err
		})
		if was := c.mem.History("d/f")[0].Info; errs != "" || file.Info.VersionID != was.VersionID || dir.Sub(c.now.Add(-5*time.Minute)).Abs() > time.Second {
			t.Errorf("host %v ahead: version %s, want %s; %v, want 5 minutes before %v; %s", skew, file.Name, was.VersionID, dir, c.now, errs)
		}
	}
}

// A label without REV is for the current version, also if the server's clock is far ahead of the host's.
func TestLabelIsForTheCurrentVersion(t *testing.T) {
	c := newShelf(t)
	c.foreign("f", "old")
	c.now = c.now.AddDate(10, 0, 0)
	c.foreign("f", "new")
	_, _, errs := c.do(labelCommand(Stdio{}), "", func(f *fileCommand) error {
		found, err := f.labelled(t.Context(), c.at("f", ""), "release", time.Time{})
		if err == nil && (len(found) != 1 || found[0].Info.VersionID != c.mem.History("f")[1].Info.VersionID) {
			t.Errorf("%+v", found)
		}
		return err
	})
	if errs != "" {
		t.Error(errs)
	}
}
