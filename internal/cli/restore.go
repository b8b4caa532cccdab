package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/restore"
	"github.com/latchfs/latchfs/store"
)

// changedHelp ends the explanation of commands that bring something back.
const changedHelp = "It waits for whoever has the file open for write, on any host. If somebody saves it meanwhile, that\n" +
	"stays, and the exit code is 4; 5 if it is locked. Of several files all that can be done is done, each that\n" +
	"failed is named, and the exit code is the highest. The bucket has to keep versions; no mount is needed.\n" +
	"After Ctrl-C nothing more is begun; the same command does the rest."

func restoreCommand(std Stdio) *cli.Command {
	return newFileCommand(std, &cli.Command{
		Name:      "restore",
		Usage:     "make an old version the current one",
		ArgsUsage: "PATH[@REV]",
		Description: "Without @REV it is the last content of a deleted file, else the version before with another content. The\n" +
			"version becomes a new one, by a copy in the bucket, with its mode, owner, time, type, tags and metadata;\n" +
			"nothing of the history goes. Retention and legal holds stay with the old version alone.\n\n" +
			"With -r the argument is DIR@TIME: each file below becomes what it was then. Files that are alike are left\n" +
			"alone, and so is what was not there then, unless --delete is given, which can be undone as well.\n\n" + changedHelp,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "r", Usage: "bring back all of a directory as it was at a time", DisableDefaultText: true},
			&cli.BoolFlag{Name: "delete", Usage: "with -r: delete what was not there then", DisableDefaultText: true},
			&cli.StringFlag{Name: "to", Usage: "give it the name `PATH`, also one with an @ in it; in that directory if it ends with /"},
			&cli.StringFlag{Name: "version-id", Usage: "`REV` that is meant, also where the file's name has an @ in it"},
			dryRunFlag(),
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line: action, path, from, version_id, error, code", DisableDefaultText: true},
		}, changeFlags()...),
	}, runRestore)
}

func dryRunFlag() cli.Flag {
	return &cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be done", DisableDefaultText: true}
}

func runRestore(ctx context.Context, f *fileCommand) error {
	args, err := f.args(1, 1)
	if err != nil {
		return err
	}
	if err := f.restoreFlags(); err != nil {
		return err
	}
	p, err := f.place(ctx, args[0], f.String("version-id"))
	if err != nil {
		return err
	}
	to := p
	if f.IsSet("to") {
		if to, err = f.placeToMake(ctx, f.String("to")); err != nil {
			return err
		}
		if to.Volume != p.Volume {
			return usagef("--to %s is in another bucket: a copy between buckets is for other tools", printable(to.Text))
		}
	}
	return f.restoring(ctx, p, func(r *restore.Restorer) error {
		if f.Bool("r") {
			return f.restoreTree(ctx, r, p)
		}
		return f.restoreFile(ctx, r, p, to)
	})
}

// placeToMake finds a name that is to be given to something. It is read as it is written: what it says
// after an "@" names no version, for else the file before the "@" would be changed.
func (f *fileCommand) placeToMake(ctx context.Context, text string) (place, error) {
	const current = "~0" // any version will do: with one, the "@" is a part of the name
	p, err := f.place(ctx, text, current)
	if p.View {
		return p, usagef("--to %s is among the versions, where nothing can be made: name a path outside of that", printable(text))
	}
	p.Rev = ""
	return p, err
}

func (f *fileCommand) restoreFlags() error {
	switch {
	case f.Bool("delete") && !f.Bool("r"):
		return usagef("--delete goes with -r: a single file is deleted with rm")
	case f.Bool("r") && f.IsSet("to"):
		return usagef("--to does not go with -r: copy the directory from .versions/@/TIME/ instead")
	case f.IsSet("to") && f.String("to") == "":
		return usagef("--to is empty: name a path")
	}
	return nil
}

// restoring calls do with what plans and, except in a dry run, changes the volume of the place.
func (f *fileCommand) restoring(ctx context.Context, p place, do func(r *restore.Restorer) error) error {
	if f.Bool("dry-run") {
		r, err := restore.New(ctx, p.Bucket, nil)
		if err != nil {
			return p.Explain(err)
		}
		return do(r)
	}
	s, end, err := f.session(ctx, p)
	if err != nil {
		return err
	}
	defer end()
	r, err := restore.New(ctx, p.Bucket, s)
	if err != nil {
		return p.Explain(err)
	}
	return do(r)
}

func (f *fileCommand) restoreFile(ctx context.Context, r *restore.Restorer, p, to place) error {
	versions, err := f.versionsOf(ctx, r, p)
	if err != nil {
		return err
	}
	v, err := restore.Before(versions)
	if p.Rev != "" {
		v, err = f.revs(p).Find(ctx, p.Key, versions, p.Rev)
	}
	if err != nil {
		return p.Explain(named(p, err))
	}
	key := p.Key
	if f.IsSet("to") {
		if key = to.Key; key == "" || strings.HasSuffix(key, "/") {
			key += path.Base(p.Key)
		}
	}
	s, err := r.To(ctx, versions, v, key)
	if err != nil {
		return p.Explain(named(p, err))
	}
	return f.carryOut(ctx, r, to, restore.Plan{Steps: []restore.Step{s}})
}

// named puts what the user calls a file before an error about it.
func named(p place, err error) error { return fmt.Errorf("%s: %w", printable(p.Text), err) }

// versionsOf lists all versions of a file, and says of a directory that it needs -r.
func (f *fileCommand) versionsOf(ctx context.Context, r *restore.Restorer, p place) ([]history.Version, error) {
	versions, err := r.History().Versions(ctx, p.Key)
	if err != nil || len(versions) > 0 && p.Key != p.DirKey() {
		return versions, p.Explain(err)
	}
	below, err := p.Bucket.ListVersions(ctx, store.VersionOptions{Prefix: p.DirKey(), Max: 1})
	switch {
	case err != nil:
		return nil, p.Explain(err)
	case len(below.Versions) > 0 && f.Command.Name == "undo":
		return nil, usagef("%s is a directory, of which latchfs log -r shows the changes: write latchfs restore -r %s@TIME", printable(p.Text), printable(p.Text))
	case len(below.Versions) > 0:
		return nil, usagef("%s is a directory: add -r", printable(p.Text))
	}
	return nil, fmt.Errorf("nothing is, or was, at %s: see latchfs log -r on its directory", printable(p.Text))
}

func (f *fileCommand) restoreTree(ctx context.Context, r *restore.Restorer, p place) error {
	if p.Rev == "" {
		return usagef("a time is missing: write latchfs restore -r %s@TIME", printable(p.Text))
	}
	at, err := f.moment(ctx, p)
	if err != nil {
		return err
	}
	plan, err := r.Tree(ctx, p.DirKey(), at, f.Bool("delete"))
	if err != nil {
		return p.Explain(err)
	}
	return f.carryOut(ctx, r, p, plan)
}

// A stepLine is a line of --json; its fields are an interface.
type stepLine struct {
	Action    restore.Action `json:"action"`
	Path      string         `json:"path"`
	From      string         `json:"from,omitempty"`       // the version that was brought back
	VersionID string         `json:"version_id,omitempty"` // that is current now
	Error     string         `json:"error,omitempty"`
	Code      int            `json:"code,omitempty"` // exit code that the error gives
}

// carryOut carries out a plan, or shows it in a dry run. Of a single file it shows what was done.
func (f *fileCommand) carryOut(ctx context.Context, r *restore.Restorer, p place, plan restore.Plan) error {
	line := func(s restore.Step) stepLine {
		return stepLine{Action: s.Do, Path: p.WithKey(s.Key), From: s.From.VersionID}
	}
	var lines []stepLine
	if f.Bool("dry-run") {
		for _, s := range plan.Steps {
			lines = append(lines, line(s))
		}
		return f.printSteps(lines)
	}
	bar, count := newProgress(f.std, "files"), &tally{}
	asJSON := json.NewEncoder(f.std.Out)
	asJSON.SetEscapeHTML(false)
	began := time.Now()
	kept := 0         // old versions that Object Lock keeps
	var mu sync.Mutex // of the output, and kept
	err := r.Run(ctx, plan, func(s restore.Step, res restore.Result, err error) {
		if f.Bool("r") && errors.Is(err, restore.ErrNothing) {
			err = nil // somebody else did it
		}
		err = f.explainChange(ctx, p, err)
		done := count.add(err)
		mu.Lock()
		defer mu.Unlock()
		l := line(s)
		l.VersionID = res.Info.VersionID
		if err != nil {
			l.Error, l.Code = oneLine(err), exitCode(err)
			bar.end()
			fmt.Fprintf(f.std.Err, "latchfs: %s: %s\n", printable(l.Path), l.Error)
		}
		switch {
		case f.Bool("json"):
			_ = asJSON.Encode(l) // the next command sees what was not told
		case err == nil && !f.Bool("r"):
			lines = append(lines, l)
		}
		if err == nil && res.Lock.Keeps(f.now) {
			kept++
		}
		bar.tick(done, len(plan.Steps))
	})
	bar.end()
	if f.Bool("r") && !f.Bool("json") {
		fmt.Fprintf(f.std.Err, "latchfs: %d of %d changed in %s, %d were alike\n", count.done-count.failed, len(plan.Steps), time.Since(began).Round(time.Second), plan.Alike)
	}
	if kept > 0 {
		fmt.Fprintf(f.std.Err, "latchfs: retention or a legal hold stays with %d old versions, and does not keep the new ones\n", kept)
	}
	if perr := f.printSteps(lines); perr != nil {
		return perr
	}
	if err != nil && count.error() == nil {
		return fmt.Errorf("interrupted: %d of %d are done, and the same command does the rest", count.done, len(plan.Steps))
	}
	return count.error()
}

func (f *fileCommand) printSteps(lines []stepLine) error {
	if f.Bool("json") {
		return printJSON(f.std.Out, lines)
	}
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{string(l.Action), dash(l.From), dash(l.VersionID), l.Path})
	}
	return printTable(f.std.Out, []string{"ACTION", "FROM", "VERSION", "PATH"}, rows)
}
