package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/review"
	"github.com/latchfs/latchfs/store"
)

func diffCommand(std Stdio) *cli.Command {
	return newFileCommand(std, &cli.Command{
		Name:      "diff",
		Usage:     "compare two versions, or a directory at two times",
		ArgsUsage: "PATH[@REV] [PATH[@REV]]",
		Description: "Without @REV and a second PATH it compares the last two versions; with one PATH@REV that version and the\n" +
			"current one. The output is that of diff -u; exit code 0 also where they differ.\n\n" +
			"With -r the arguments are DIR@TIME [DIR[@TIME]], the second one by default the same directory now. Each\n" +
			"file is a line: A is new, D was removed, M has other content. Attributes are not compared.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "r", Usage: "compare directories, each at a time", DisableDefaultText: true},
			&cli.BoolFlag{Name: "json", Usage: "with -r: one JSON object a line: status, path, version_id, size, old_version_id, old_size", DisableDefaultText: true},
		},
	}, runDiff)
}

func runDiff(ctx context.Context, f *fileCommand) error {
	args, err := f.args(1, 2)
	if err != nil {
		return err
	}
	if f.Bool("json") && !f.Bool("r") {
		return usagef("--json needs -r: the difference of two files is text")
	}
	var places []place
	for _, arg := range args {
		p, err := f.place(ctx, arg, "")
		if err != nil {
			return err
		}
		places = append(places, p)
	}
	return f.diff(ctx, places)
}

func (f *fileCommand) diff(ctx context.Context, places []place) error {
	if f.Bool("r") {
		return f.diffTrees(ctx, places)
	}
	old, new, err := f.sides(ctx, places)
	if err != nil {
		return err
	}
	text, err := review.Unified(ctx, old, new)
	if err != nil {
		return places[0].Explain(err)
	}
	_, err = io.WriteString(f.std.Out, text)
	return err
}

// sides finds the two versions to compare.
func (f *fileCommand) sides(ctx context.Context, places []place) (old, new *review.Side, err error) {
	first, second := places[0], places[len(places)-1]
	if len(places) == 1 {
		second.Rev = ""
		if first.Rev == "" {
			first.Rev, second.Rev = "~1", "~0"
		}
	}
	if old, err = f.side(ctx, first); err != nil {
		return nil, nil, err
	}
	new, err = f.side(ctx, second)
	return old, new, err
}

// side is a version with its attributes; without REV the current one, which may be a deletion.
func (f *fileCommand) side(ctx context.Context, p place) (*review.Side, error) {
	v, err := f.version(ctx, p)
	if err == nil && !v.Deleted && len(v.Info.Props.Meta) == 0 {
		var i store.Info
		if i, err = history.New(p.Bucket).Info(ctx, v.Info.Key, v.Info.VersionID); err == nil {
			v.Info = i
		}
	}
	if err != nil {
		return nil, p.Explain(err)
	}
	return sideOf(p, v, store.ReadPosix(v.Info.Props.Meta)), nil
}

// A diffLine is a line of diff -r --json; its fields are an interface.
type diffLine struct {
	Status       string `json:"status"`
	Path         string `json:"path"`
	VersionID    string `json:"version_id,omitempty"`
	Size         *int64 `json:"size,omitempty"`
	OldVersionID string `json:"old_version_id,omitempty"`
	OldSize      *int64 `json:"old_size,omitempty"`
}

// diffTrees compares directories, each as it was at a time.
func (f *fileCommand) diffTrees(ctx context.Context, places []place) error {
	if places[0].Rev == "" {
		return usagef("a time is missing: write latchfs diff -r %s@TIME", printable(places[0].Text))
	}
	var trees []review.Tree
	for _, p := range places {
		t := review.Tree{Objects: p.Bucket, Dir: p.DirKey()}
		if p.Rev != "" {
			var err error
			if t.At, err = f.moment(ctx, p); err != nil {
				return err
			}
		}
		trees = append(trees, t)
	}
	if len(trees) == 1 {
		trees = append(trees, review.Tree{Objects: trees[0].Objects, Dir: trees[0].Dir, At: time.Time{}})
	}
	differences, err := review.Trees(ctx, trees[0], trees[1])
	if err != nil {
		return places[0].Explain(err)
	}
	if len(differences) == 0 && !wasDir(ctx, history.New(places[0].Bucket), places[0]) {
		return fmt.Errorf("nothing is, or was, below %s", printable(places[0].WithKey(places[0].DirKey())))
	}
	out := bufio.NewWriter(f.std.Out)
	var lines []diffLine
	for _, d := range differences {
		l := diffLine{Status: d.Status(), Path: d.Path}
		if d.New != nil {
			l.VersionID, l.Size = d.New.VersionID, &d.New.Size
		}
		if d.Old != nil {
			l.OldVersionID, l.OldSize = d.Old.VersionID, &d.Old.Size
		}
		lines = append(lines, l)
		if !f.Bool("json") {
			fmt.Fprintln(out, l.Status, printable(l.Path))
		}
	}
	if f.Bool("json") {
		err = printJSON(out, lines)
	}
	return errors.Join(err, out.Flush())
}
