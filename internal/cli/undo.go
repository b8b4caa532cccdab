package cli

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/internal/restore"
)

func undeleteCommand(std Stdio) *cli.Command {
	return newFileCommand(std, &cli.Command{
		Name:      "undelete",
		Usage:     "bring a deleted file back by removing its deletion",
		ArgsUsage: "PATH",
		Description: "Nothing is copied: the version that was deleted is the current one again, with its id, tags, retention\n" +
			"and holds. The deletion does not stay in the history; restore keeps it. With -r all that is deleted below a\n" +
			"directory comes back, however long ago that was; latchfs log -r --deleted lists it.\n\n" + changedHelp,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "r", Usage: "bring back all that is deleted below a directory", DisableDefaultText: true},
			dryRunFlag(),
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line: action, path, version_id, error, code", DisableDefaultText: true},
		}, changeFlags()...),
	}, runUndelete)
}

func runUndelete(ctx context.Context, f *fileCommand) error {
	p, err := f.onePlace(ctx)
	if err != nil {
		return err
	}
	return f.restoring(ctx, p, func(r *restore.Restorer) error { return f.undelete(ctx, r, p) })
}

// onePlace finds the only argument, which names no version.
func (f *fileCommand) onePlace(ctx context.Context) (p place, err error) {
	args, err := f.args(1, 1)
	if err != nil {
		return p, err
	}
	if p, err = f.place(ctx, args[0], ""); err == nil && p.Rev != "" {
		err = usagef("%s names no version: leave out @%s, or use latchfs restore", f.Command.HelpName, printable(p.Rev))
	}
	return p, err
}

func (f *fileCommand) undelete(ctx context.Context, r *restore.Restorer, p place) error {
	if f.Bool("r") {
		plan, err := r.Deleted(ctx, p.DirKey())
		if err != nil {
			return p.Explain(err)
		}
		return f.carryOut(ctx, r, p, plan)
	}
	if _, err := f.versionsOf(ctx, r, p); err != nil {
		return err
	}
	return f.carryOut(ctx, r, p, restore.Plan{Steps: []restore.Step{{Key: p.Key, Do: restore.Undelete}}})
}

func undoCommand(std Stdio) *cli.Command {
	return newFileCommand(std, &cli.Command{
		Name:      "undo",
		Usage:     "bring a file back to what it was before the last changes",
		ArgsUsage: "PATH",
		Description: "Each version and each deletion that latchfs log shows is a change. What was before becomes a new version,\n" +
			"or a deletion if nothing was there; so undo is a change, too, and a second one takes the first one back.\n\n" + changedHelp,
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "last", Value: 1, Usage: "undo the last `N` changes"},
			dryRunFlag(),
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line: action, path, from, version_id, error, code", DisableDefaultText: true},
		}, changeFlags()...),
	}, runUndo)
}

func runUndo(ctx context.Context, f *fileCommand) error {
	if f.Int("last") < 1 {
		return usagef("--last %d: it has to be 1 or more", f.Int("last"))
	}
	p, err := f.onePlace(ctx)
	if err != nil {
		return err
	}
	return f.restoring(ctx, p, func(r *restore.Restorer) error { return f.undo(ctx, r, p) })
}

func (f *fileCommand) undo(ctx context.Context, r *restore.Restorer, p place) error {
	versions, err := f.versionsOf(ctx, r, p)
	if err != nil {
		return err
	}
	s, err := r.Undo(ctx, versions, f.Int("last"))
	if err != nil {
		return p.Explain(named(p, err))
	}
	return f.carryOut(ctx, r, p, restore.Plan{Steps: []restore.Step{s}})
}
