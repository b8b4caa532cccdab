package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/change"
	"github.com/latchfs/latchfs/internal/label"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/internal/when"
	"github.com/latchfs/latchfs/store"
)

func labelCommand(std Stdio) *cli.Command {
	return newFileCommand(std, &cli.Command{
		Name:      "label",
		Usage:     "give a version a name",
		ArgsUsage: "NAME PATH[@REV]",
		Description: "PATH@NAME means that version from then on, and latchfs prune spares it. No version is made: the label is in\n" +
			"a tag of the version, which commits, copies and restores do not take along. NAME begins with a letter, and\n" +
			"has letters, digits and - _ . + in it. A version has several labels as long as they fit into the 256\n" +
			"characters of a tag. If several versions of a file have the same label, PATH@NAME is the newest of them.\n\n" +
			"With -r the versions that are current now of all files below a directory get it, and DIR@NAME is that time\n" +
			"for restore -r and diff -r; this takes three seconds more. --remove takes it away\n" +
			"from all versions of PATH, or from that one; --list PATH lists them.\n\n" +
			"Lifecycle rules cannot spare what has a tag: a rule that removes old versions removes labelled ones too.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "r", Usage: "label, or --remove or --list, all that is below a directory", DisableDefaultText: true},
			&cli.BoolFlag{Name: "remove", Usage: "take the label away", DisableDefaultText: true},
			&cli.BoolFlag{Name: "list", Aliases: []string{"l"}, Usage: "list the labels; there is no NAME then", DisableDefaultText: true},
			&cli.StringFlag{Name: "version-id", Usage: "`REV` that is meant, also where the file's name has an @ in it"},
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line: label, path, version_id, time, error, code", DisableDefaultText: true},
		}, changeFlags()...),
	}, runLabel)
}

// A labelLine is a line of label --json; its fields are an interface.
type labelLine struct {
	Label     string `json:"label"`
	Path      string `json:"path"`
	VersionID string `json:"version_id"`
	Time      string `json:"time"`
	Error     string `json:"error,omitempty"`
	Code      int    `json:"code,omitempty"`
}

func runLabel(ctx context.Context, f *fileCommand) error {
	n := 2
	if f.Bool("list") {
		n = 1
	}
	args, err := f.labelArgs(n)
	if err != nil {
		return err
	}
	p, err := f.place(ctx, args[n-1], f.String("version-id"))
	if err != nil {
		return err
	}
	if f.Bool("r") && p.Rev != "" {
		return usagef("-r labels what is current now: leave out @%s", printable(p.Rev))
	}
	if f.Bool("list") {
		return f.listLabels(ctx, p)
	}
	return f.relabel(ctx, p, args[0])
}

// labelArgs gives the arguments, of which there have to be n.
func (f *fileCommand) labelArgs(n int) ([]string, error) {
	args := f.Args().Slice()
	switch {
	case f.Bool("list") && f.Bool("remove"):
		return nil, usagef("--list and --remove do not go together")
	case f.Bool("list") && len(args) != 1:
		return nil, usagef("--list lists all labels of one path: write latchfs label --list PATH")
	case len(args) != n:
		return nil, usagef("NAME and PATH are wanted: write latchfs label NAME PATH")
	case n == 1:
		return args, nil
	}
	if err := store.CheckLabel(args[0]); err != nil {
		return nil, usagef("%v", err)
	}
	if !history.IsLabel(args[0]) {
		return nil, usagef("%q means something else after @: choose another label", args[0])
	}
	return args, nil
}

// labelled gives the versions that a label is for: one, those of a directory that are current at t, or
// to take it away all that have it.
func (f *fileCommand) labelled(ctx context.Context, p place, name string, t time.Time) (found []history.Version, err error) {
	h := history.New(p.Bucket)
	finder := label.Finder{Bucket: p.Bucket}
	use := func(_ string, versions []history.Version) error {
		if !f.Bool("remove") {
			i := len(versions) - 1
			if !t.IsZero() {
				i = history.Current(versions, t)
			}
			if i >= 0 && !versions[i].Deleted {
				found = append(found, versions[i])
			}
			return nil
		}
		return finder.Each(ctx, versions, func(v history.Version, labels []string) bool {
			if slices.Contains(labels, name) {
				found = append(found, v)
			}
			return true
		})
	}
	if f.Bool("r") {
		err := h.Each(ctx, p.DirKey(), use)
		return found, p.Explain(err)
	}
	if p.Rev == "" {
		versions, err := h.Versions(ctx, p.Key)
		switch {
		case err != nil:
			return nil, p.Explain(err)
		case len(versions) == 0:
			return nil, f.nothingThere(ctx, p)
		case versions[len(versions)-1].Deleted && !f.Bool("remove"):
			return nil, fmt.Errorf("%s is deleted, and a deletion has no label: its last content is %s@~1", printable(p.Text), printable(p.Text))
		}
		return found, p.Explain(use(p.Key, versions))
	}
	v, err := h.Resolve(ctx, p.Key, p.Rev, f.revs(p))
	switch {
	case err != nil:
		return nil, p.Explain(err)
	case v.Deleted:
		return nil, fmt.Errorf("%s is a deletion, which has no label", printable(p.Text))
	}
	return []history.Version{v}, nil
}

// nothingThere says what to do about a path that names no file, also no deleted one.
func (f *fileCommand) nothingThere(ctx context.Context, p place) error {
	below, err := p.Bucket.ListVersions(ctx, store.VersionOptions{Prefix: p.DirKey(), Max: 1})
	switch {
	case err != nil:
		return p.Explain(err)
	case len(below.Versions) > 0:
		return usagef("%s is a directory: add -r", printable(p.Text))
	}
	return fmt.Errorf("nothing is, or was, at %s: see latchfs log -r on its directory", printable(p.Text))
}

func (f *fileCommand) relabel(ctx context.Context, p place, name string) error {
	moments := label.Moments{Objects: p.Bucket}
	tree := f.Bool("r") && !f.Bool("remove")
	var t time.Time // of one file it is the last version, whatever the clocks say
	if tree {
		if err := p.Check(ctx); err != nil { // whose answer tells the server's time
			return err
		}
		var ready time.Duration
		if t, ready = moments.Now(); !wait.For(ctx, ready, nil) {
			return context.Cause(ctx)
		}
	}
	versions, err := f.labelled(ctx, p, name, t)
	if err != nil {
		return err
	}
	switch {
	case len(versions) == 0 && tree:
		return fmt.Errorf("no file is below %s", printable(p.Text))
	case len(versions) == 0:
		if f.Bool("r") { // of versions that are gone
			if err := moments.Remove(ctx, p.DirKey(), name); err != nil {
				return p.Explain(err)
			}
		}
		return fmt.Errorf("no version of %s has the label %s", printable(p.Text), name)
	}
	s, end, err := f.session(ctx, p)
	if err != nil {
		return err
	}
	defer end()
	labeler := label.Labeler{Names: s, Objects: s.Objects}
	set := labeler.Set
	if f.Bool("remove") {
		set = labeler.Remove
	}
	bar, count := newProgress(f.std, "versions"), &tally{}
	var mu sync.Mutex // of the output
	change.Each(ctx, versions, func(v history.Version) {
		line := f.labelLine(p, v, name)
		err := f.explainLabel(ctx, p, set(ctx, v.Info.Key, v.Info.VersionID, name))
		done := count.add(err)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			line.Error, line.Code = oneLine(err), exitCode(err)
			bar.end()
			fmt.Fprintf(f.std.Err, "latchfs: %s: %s\n", printable(line.Path), line.Error)
		}
		if f.Bool("json") {
			_ = printJSON(f.std.Out, []labelLine{line}) // the next command sees what was not told
		}
		bar.tick(done, len(versions))
	})
	bar.end()
	if count.error() == nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted: %d of %d are done, and the same command does the rest", count.done, len(versions))
	}
	if err := count.error(); err != nil || !f.Bool("r") {
		return err
	}
	if tree {
		return p.Explain(moments.Set(ctx, p.DirKey(), label.Moment{Name: name, Time: t}))
	}
	return p.Explain(moments.Remove(ctx, p.DirKey(), name))
}

// moment gives the time that the REV of a directory names: that of a label, or a time.
func (f *fileCommand) moment(ctx context.Context, p place) (time.Time, error) {
	if history.IsLabel(p.Rev) {
		at, ok, err := label.Moments{Objects: p.Bucket}.Find(ctx, p.DirKey(), p.Rev)
		if err != nil {
			return time.Time{}, p.Explain(err)
		}
		if ok {
			return at.Time, nil
		}
	}
	t, err := when.Parse(p.Rev, p.Bucket.ServerNow(), p.Zone)
	if err != nil {
		return t, usagef("of a directory a time is named, or a label: %v", err)
	}
	return t, nil
}

func (f *fileCommand) explainLabel(ctx context.Context, p place, err error) error {
	switch {
	case errors.Is(err, store.ErrAccessDenied):
		return &saidError{fmt.Sprintf("allow s3:GetObjectVersionTagging, s3:PutObjectVersionTagging and s3:DeleteObjectVersionTagging on arn:aws:s3:::%s/*: %s", p.Volume.Source.Bucket, oneLine(err)), err}
	case errors.Is(err, store.ErrNotFound):
		return &saidError{"somebody has removed the version", err}
	case errors.Is(err, store.ErrNoID):
		return &saidError{"it was written while the bucket kept no versions, and has no id of its own: save it again, or switch versioning on (latchfs init)", err}
	case errors.Is(err, store.ErrLabel):
		return err
	}
	return f.explainChange(ctx, p, err)
}

func (f *fileCommand) labelLine(p place, v history.Version, name string) labelLine {
	return labelLine{Label: name, Path: p.WithKey(v.Info.Key), VersionID: v.Info.VersionID, Time: utc(v.Time)}
}

// listLabels lists the labels of a file, or of all that is below a directory.
func (f *fileCommand) listLabels(ctx context.Context, p place) error {
	lines, rows := []labelLine{}, [][]string{}
	use := func(_ string, versions []history.Version) error {
		return label.Finder{Bucket: p.Bucket}.Each(ctx, versions, func(v history.Version, labels []string) bool {
			for _, name := range labels {
				l := f.labelLine(p, v, name)
				lines, rows = append(lines, l), append(rows, []string{l.Label, l.Time, l.VersionID, l.Path})
			}
			return true
		})
	}
	h := history.New(p.Bucket)
	if f.Bool("r") {
		if err := h.Each(ctx, p.DirKey(), use); err != nil {
			return p.Explain(err)
		}
	} else {
		versions, err := h.Versions(ctx, p.Key)
		if err == nil && len(versions) == 0 {
			return f.nothingThere(ctx, p)
		}
		if err == nil {
			err = use(p.Key, versions)
		}
		if err != nil {
			return p.Explain(err)
		}
	}
	if f.Bool("json") {
		return printJSON(f.std.Out, lines)
	}
	return printTable(f.std.Out, []string{"LABEL", "TIME (UTC)", "VERSION", "PATH"}, rows)
}
