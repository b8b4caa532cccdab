package cli

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/label"
	"github.com/latchfs/latchfs/internal/volume"
)

// targetHelp explains the arguments of commands that work on files.
const targetHelp = "PATH is a path below a mount of this host, which says how to reach its bucket, or s3://bucket/key or\n" +
	"local:DIR/key, with the flags of mount. It may name what was deleted. The credentials are the caller's\n" +
	"own. @REV names a version: its id or the first 8 characters of that, its name in .versions, a label, a\n" +
	"time (2026-11-22, 2026-11-22T18:29, 2h, 7d, yesterday) or ~N, N changes back. A file whose name has the\n" +
	"@ in it goes before that. Times without zone are those of this host; those that are printed are UTC."

// A fileCommand is one command on files while it runs.
type fileCommand struct {
	*cli.Context
	std    Stdio
	access volume.Access
	opened []*volume.Volume
	now    time.Time
}

// newFileCommand makes a command on files of one that has neither the flags of access nor an action.
func newFileCommand(std Stdio, cmd *cli.Command, run func(context.Context, *fileCommand) error) *cli.Command {
	cmd.Description += "\n\n" + targetHelp
	cmd.Flags = append(cmd.Flags, accessFlags()...)
	cmd.Action = func(c *cli.Context) (err error) {
		if err := refuseEmpty(c); err != nil {
			return err
		}
		f := &fileCommand{Context: c, std: std, now: time.Now()}
		if f.access, err = parseAccess(c, volume.Source{}); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
		defer stop()
		defer f.close()
		return run(ctx, f)
	}
	return cmd
}

// A place is a target in a volume that is within reach.
type place struct {
	volume.Target
	*volume.Volume
}

// place finds the target that an argument names; rev is that of --version-id. Nothing but what Choose
// needs is asked of the bucket, of which places in the same one share the volume.
func (f *fileCommand) place(ctx context.Context, text, rev string) (p place, err error) {
	if p.Target, err = volume.FindTarget(text, rev, f.access); err != nil {
		return p, err
	}
	for _, v := range f.opened {
		if v.Reaches(p.Target) {
			p.Volume = v
		}
	}
	if p.Volume == nil {
		o := p.Options()
		o.Log = slog.New(slog.DiscardHandler)
		if o.Host, err = os.Hostname(); err != nil {
			return p, err
		}
		if p.Volume, err = volume.Dial(ctx, o); err != nil {
			return p, err
		}
		f.opened = append(f.opened, p.Volume)
	}
	p.Target, err = p.Choose(ctx, p.Target)
	if err == nil && (ages.MatchString(p.Rev) || p.Rev == "yesterday") {
		err = p.Check(ctx) // whose answer tells the server's time
	}
	return p, err
}

func (f *fileCommand) close() {
	for _, v := range f.opened {
		v.Close() // the use of an embedded server ends with the process, too
	}
}

// revs says how a version of the place is named. An age counts by the server's clock, as the times of
// versions are told.
func (f *fileCommand) revs(p place) history.Revs {
	return history.Revs{Now: p.Bucket.ServerNow(), Zone: p.Zone, Labels: label.Finder{Bucket: p.Bucket}}
}

// args gives the arguments, of which there have to be at least and at most so many.
func (f *fileCommand) args(least, most int) ([]string, error) {
	args := f.Args().Slice()
	usage := f.Command.HelpName + " [flags] " + f.Command.ArgsUsage
	switch {
	case len(args) < least:
		return nil, usagef("PATH is missing: write %s", usage)
	case len(args) > most:
		return nil, usagef("argument %q is too much: write %s", args[most], usage)
	}
	return args, nil
}
