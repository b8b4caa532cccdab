package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/gc"
	"github.com/latchfs/latchfs/internal/volume"
)

// gcOptions is the parsed command line of gc.
type gcOptions struct {
	Source    volume.Source
	Access    volume.Access
	GC        gc.Options
	Yes, JSON bool
}

func gcCommand(std Stdio) *cli.Command {
	return &cli.Command{
		Name:      "gc",
		Usage:     "list what nobody needs any more, and remove it with --yes",
		ArgsUsage: "SOURCE",
		Description: "Finds records of the lock table of which nobody can make use any more, session directories of this\n" +
			"host in which nothing waits, multipart uploads with our checksums that are a week old, and what a\n" +
			"probe of the server has left. What a living mount needs is never found: a session that says it is\n" +
			"alive is watched, and if it is silent, for at least the lock table's lease and at most twice that. Where\n" +
			"a request may still be under way, --yes waits for the lock table's delay first. What cannot be looked at\n" +
			"is named, and ends it with exit code 1 at last.",
		Flags: append(accessFlags(), stateDirFlag(),
			&cli.BoolFlag{Name: "yes", Usage: "remove what was found", DisableDefaultText: true},
			&cli.BoolFlag{Name: "json", Usage: "one JSON object for each line: kind, name, why, rest_seconds, and with --yes removed and error", DisableDefaultText: true},
		),
		Action: func(c *cli.Context) error {
			o, err := parseGC(c)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
			defer stop()
			return runGC(ctx, o, std)
		},
	}
}

func parseGC(c *cli.Context) (o gcOptions, err error) {
	if err := wantArgs(c, "SOURCE"); err != nil {
		return o, err
	}
	if o.Source, err = volume.ParseSource(c.Args().First()); err != nil {
		return o, err
	}
	if o.Source.Prefix != "" {
		return o, usagef("SOURCE %s is a part of a bucket, and gc cleans up all of it: write %s", o.Source, volume.Source{Bucket: o.Source.Bucket})
	}
	if o.Access, err = parseAccess(c, o.Source); err != nil {
		return o, err
	}
	if o.GC.StateDir, err = parseStateDir(c); err != nil {
		return o, err
	}
	o.Yes, o.JSON = c.Bool("yes"), c.Bool("json")
	return o, nil
}

func runGC(ctx context.Context, o gcOptions, std Stdio) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	v, err := volume.Open(ctx, volume.Options{
		Source: o.Source, Access: o.Access, Host: host, Log: slog.New(slog.DiscardHandler), Existing: true,
	})
	if err != nil {
		return err
	}
	defer v.Close()
	o.GC.Tell = func(line string) { fmt.Fprintf(std.Err, "latchfs: %s\n", line) }
	found, err := gc.Find(ctx, v, o.GC)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: nothing was removed")
	}
	if err != nil {
		return err
	}
	failed := 0
	for _, left := range found.Left {
		fmt.Fprintf(std.Err, "latchfs: not looked at: %s\n", oneLine(errors.New(left.Why)))
		if left.Failed {
			failed++
		}
	}
	if o.Yes {
		err = removeItems(ctx, found.Items, o.JSON, std)
	} else {
		err = listItems(found.Items, o.JSON, std)
	}
	if err == nil && failed > 0 {
		return fmt.Errorf("%d could not be looked at: mend that and run it again", failed)
	}
	return err
}

// A gcLine is a line of gc --json; its fields are an interface.
type gcLine struct {
	Kind    gc.Kind `json:"kind"`
	Name    string  `json:"name"`
	Why     string  `json:"why"`
	Rest    float64 `json:"rest_seconds"`
	Removed *bool   `json:"removed,omitempty"`
	Error   string  `json:"error,omitempty"`
}

func listItems(items []gc.Item, asJSON bool, std Stdio) error {
	if asJSON {
		out := json.NewEncoder(std.Out)
		for _, i := range items {
			if err := out.Encode(gcLine{Kind: i.Kind, Name: i.Name, Why: i.Why, Rest: i.Rest.Seconds()}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(items) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tNAME\tWHY")
	for _, i := range items {
		fmt.Fprintf(table, "%s\t%s\t%s\n", i.Kind, printable(i.Name), visible(i.Why))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(std.Err, "latchfs: %d found; the same command with --yes removes them\n", len(items))
	return nil
}

func removeItems(ctx context.Context, items []gc.Item, asJSON bool, std Stdio) error {
	failed := 0
	out := json.NewEncoder(std.Out)
	pause := func(d time.Duration) {
		fmt.Fprintf(std.Err, "latchfs: waiting %s: requests of mounts that have ended may still be under way\n", d.Round(time.Second))
	}
	err := gc.Remove(ctx, items, pause, func(r gc.Result) {
		if r.Err != nil {
			failed++
		}
		switch {
		case asJSON:
			line := gcLine{Kind: r.Kind, Name: r.Name, Why: r.Why, Rest: r.Rest.Seconds(), Removed: &r.Removed}
			if r.Err != nil {
				line.Error = r.Err.Error()
			}
			_ = out.Encode(line) // the next command sees what was not told
		case r.Err != nil:
			fmt.Fprintf(std.Err, "latchfs: %s %s stays: %s\n", r.Kind, printable(r.Name), oneLine(r.Err))
		case r.Removed:
			fmt.Fprintf(std.Out, "removed %s %s\n", r.Kind, printable(r.Name))
		default:
			fmt.Fprintf(std.Out, "left %s %s, which has changed meanwhile\n", r.Kind, printable(r.Name))
		}
	})
	switch {
	case err != nil:
		return fmt.Errorf("interrupted: what is left is found again by latchfs gc")
	case failed > 0:
		return fmt.Errorf("%d of %d could not be removed: mend that and run it again", failed, len(items))
	}
	return nil
}
