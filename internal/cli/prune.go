package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/internal/bytesize"
	"github.com/latchfs/latchfs/internal/lifecycle"
	"github.com/latchfs/latchfs/internal/prune"
	"github.com/latchfs/latchfs/internal/shell"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/internal/when"
	"github.com/latchfs/latchfs/store"
)

func pruneCommand(std Stdio) *cli.Command {
	return newFileCommand(std, &cli.Command{
		Name:      "prune",
		Usage:     "remove old versions for good, with --yes",
		ArgsUsage: "PATH",
		Description: "Without --yes nothing is removed, and it lists what would be. A version goes if no flag keeps it; the keep\n" +
			"flags mean what restic means by them. Never removed are: the current version, the newest content of a\n" +
			"deleted file, what has a label (latchfs label), what Object Lock keeps, and what was written while the bucket\n" +
			"kept no versions. A deletion goes when no content is left below it. AGE is 90d, 12h, 4w, 1y.\n\n" +
			"What is removed cannot be had back. Each goes by its id, under the lease of its file, of which whoever\n" +
			"has it open for write is waited for. Of several files all that can be done is done, each that failed is\n" +
			"named, and the exit code is the highest. After Ctrl-C nothing more is begun; the same command does the rest.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "r", Usage: "prune all files below a directory, deleted ones too", DisableDefaultText: true},
			&cli.IntFlag{Name: "keep-last", Usage: "keep the newest `N` versions of each file, the current one among them"},
			&cli.IntFlag{Name: "keep-daily", Usage: "keep the newest version of each of the last `N` days (UTC) that have one"},
			&cli.StringFlag{Name: "keep-within", Usage: "keep what became current this `AGE` before the newest version, or later"},
			&cli.StringFlag{Name: "older-than", Usage: "remove only what was replaced or deleted this `AGE` ago, or earlier"},
			&cli.BoolFlag{Name: "yes", Usage: "remove it", DisableDefaultText: true},
			dryRunFlag(),
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line: path, version_id, time, size, deleted, removed, kept, error, code", DisableDefaultText: true},
		}, changeFlags()...),
	}, runPrune)
}

// A pruneLine is a line of prune --json; its fields are an interface.
type pruneLine struct {
	Path      string `json:"path"`
	VersionID string `json:"version_id,omitempty"` // none where the file could not be looked at
	Time      string `json:"time,omitempty"`
	Size      int64  `json:"size"`
	Deleted   bool   `json:"deleted"`
	Removed   bool   `json:"removed"`
	Kept      string `json:"kept,omitempty"`
	Error     string `json:"error,omitempty"`
	Code      int    `json:"code,omitempty"`
}

func runPrune(ctx context.Context, f *fileCommand) error {
	policy, err := f.policy()
	if err != nil {
		return err
	}
	p, err := f.onePlace(ctx)
	if err != nil {
		return err
	}
	if !f.Bool("r") {
		if err := f.isFile(ctx, p); err != nil {
			return err
		}
	}
	pruner := &prune.Pruner{Policy: policy, Objects: p.Bucket}
	if f.Bool("yes") && !f.Bool("dry-run") {
		s, end, err := f.session(ctx, p)
		if err != nil {
			return err
		}
		defer end()
		pruner.Names, pruner.Objects = s, s.Objects
	}
	return f.prune(ctx, p, pruner)
}

// isFile fails unless the path names a file, or one that was deleted.
func (f *fileCommand) isFile(ctx context.Context, p place) error {
	page, err := p.Bucket.ListVersions(ctx, store.VersionOptions{Prefix: p.Key, Max: 1})
	switch {
	case err != nil:
		return p.Explain(err)
	case p.Key != p.DirKey() && len(page.Versions) > 0 && page.Versions[0].Info.Key == p.Key:
		return nil
	}
	return f.nothingThere(ctx, p)
}

var ages = regexp.MustCompile(`^([0-9]+[smhdwy])+$`)

// policy reads what is to be kept.
func (f *fileCommand) policy() (p prune.Policy, err error) {
	given := 0
	for name, n := range map[string]*int{"keep-last": &p.KeepLast, "keep-daily": &p.KeepDaily} {
		if !f.IsSet(name) {
			continue
		}
		given++
		if *n = f.Int(name); *n < 1 {
			return p, usagef("--%s %d: it has to be 1 or more", name, *n)
		}
	}
	for name, d := range map[string]*time.Duration{"keep-within": &p.KeepWithin, "older-than": &p.OlderThan} {
		s := f.String(name)
		if s == "" {
			continue
		}
		given++
		since, err := when.Parse(s, f.now, time.UTC)
		if *d = f.now.Sub(since); !ages.MatchString(s) || err != nil || *d <= 0 {
			return p, usagef("--%s %s is no age: write for example 90d, 12h, 4w or 1y", name, s)
		}
	}
	if given == 0 {
		return p, usagef("nothing says what is to stay: give --keep-last, --keep-daily, --keep-within or --older-than")
	}
	return p, nil
}

func (f *fileCommand) prune(ctx context.Context, p place, pruner *prune.Pruner) error {
	var rows [][]string
	var bytes int64
	versions, deletions, kept, count, bar := 0, 0, 0, &tally{}, newProgress(f.std, "versions looked at")
	pruner.Tell = func(s prune.Step) {
		line := pruneLine{Path: p.WithKey(s.Key), VersionID: s.Version.Info.VersionID, Size: s.Version.Info.Size, Deleted: s.Version.Deleted, Removed: s.Removed, Kept: s.Kept}
		if line.VersionID != "" {
			line.Time = utc(s.Version.Time)
		}
		err := f.explainPrune(ctx, p, s.Err)
		done := count.add(err)
		switch {
		case err != nil:
			line.Error, line.Code = oneLine(err), exitCode(err)
			bar.end()
			fmt.Fprintf(f.std.Err, "latchfs: %s: %s\n", printable(line.Path), line.Error)
		case s.Kept != "":
			kept++
		case line.Deleted:
			deletions++
		default:
			versions++
			bytes += line.Size
		}
		if f.Bool("json") {
			_ = printJSON(f.std.Out, []pruneLine{line}) // the next command sees what was not told
		} else if pruner.Names == nil && err == nil {
			rows = append(rows, pruneRow(line))
		}
		bar.tick(done, done)
	}
	run := func() error { return pruner.Key(ctx, p.Key) }
	if f.Bool("r") {
		run = func() error { return pruner.All(ctx, p.DirKey()) }
	}
	err := run()
	bar.end()
	if perr := printTable(f.std.Out, []string{"TIME (UTC)", "SIZE", "VERSION", "KEPT", "PATH"}, rows); perr != nil {
		return perr
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %d versions of %s are removed, and the same command does the rest", versions, bytesize.Format(bytes))
	}
	f.sayPruned(p, pruner, fmt.Sprintf("%d versions of %s and %d deletions", versions, bytesize.Format(bytes), deletions), kept)
	if err != nil {
		return p.Explain(err)
	}
	return count.error()
}

func pruneRow(l pruneLine) []string {
	size := fmt.Sprint(l.Size)
	if l.Deleted {
		size = "deletion"
	}
	keeps := l.Kept
	if keeps == "" {
		keeps = "-"
	}
	return []string{l.Time, size, l.VersionID, keeps, l.Path}
}

// sayPruned tells the sum, and the rule that would do the same.
func (f *fileCommand) sayPruned(p place, pruner *prune.Pruner, what string, kept int) {
	but := ""
	if kept > 0 {
		but = fmt.Sprintf("; %d are kept by a label or Object Lock", kept)
	}
	if pruner.Names != nil {
		fmt.Fprintf(f.std.Err, "latchfs: %s removed%s\n", what, but)
		return
	}
	fmt.Fprintf(f.std.Err, "latchfs: %s would be removed%s; the same command with --yes removes them\n", what, but)
	if p.Volume.Source.Local != "" {
		return // its server knows no rules
	}
	if rule := ruleLike(pruner.Policy); rule != nil {
		fmt.Fprintf(f.std.Err, "latchfs: the service does nearly the same, for the whole bucket and labels aside, after: %s\n",
			shell.Join(slices.Concat([]string{"latchfs", "lifecycle", "set"}, rule, p.Target.Access.Flags(), []string{volume.Source{Bucket: p.Volume.Source.Bucket}.String()})...))
		return
	}
	fmt.Fprintln(f.std.Err, "latchfs: no lifecycle rule does the same: rules know no days and no newest version")
}

// ruleLike gives the flags of latchfs lifecycle set for a policy, nil if no rule is like it. The newest
// old version always stays, as that of a deleted file does here.
func ruleLike(p prune.Policy) []string {
	const day = 24 * time.Hour
	keep := max(p.KeepLast-1, 1)
	if p.KeepDaily > 0 || p.KeepWithin > 0 || p.OlderThan%day != 0 || keep > lifecycle.MaxNewer {
		return nil
	}
	days := max(int(p.OlderThan/day), 1)
	return []string{"--expire-versions", fmt.Sprintf("%dd", days), "--keep-versions", fmt.Sprint(keep)}
}

func (f *fileCommand) explainPrune(ctx context.Context, p place, err error) error {
	if !errors.Is(err, store.ErrAccessDenied) {
		return f.explainChange(ctx, p, err)
	}
	action := "s3:GetObjectVersionTagging" // without which nobody knows of labels
	if failed, ok := errors.AsType[*store.AttemptError](err); ok {
		for op, needs := range map[string]string{"DeleteVersion": "s3:DeleteObjectVersion", "Head": "s3:GetObjectVersion"} {
			if strings.EqualFold(failed.Op, op) {
				action = needs
			}
		}
	}
	return &saidError{fmt.Sprintf("allow %s on arn:aws:s3:::%s/*: %s", action, p.Volume.Source.Bucket, oneLine(err)), err}
}
