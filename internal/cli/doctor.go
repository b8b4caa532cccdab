package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os/signal"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/doctor"
	"github.com/latchfs/latchfs/internal/volume"
)

func doctorCommand(std Stdio) *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "check bucket, lock table, permissions and keys, and say what to do",
		ArgsUsage: "SOURCE",
		Description: "SOURCE is s3://bucket[/prefix/], bucket[:prefix] or local:DIR. It needs no mount and changes no\n" +
			"object of yours. Each check is a line: ok, warn (a mount works, but not as one may expect) or fail.\n" +
			"It lists every key below SOURCE once. Exit code 0 if no line says fail, else 1.",
		Flags: append(accessFlags(),
			&cli.BoolFlag{Name: "no-probe", Usage: "do not try the server, which writes small objects below .latchfs/probe/ and removes them again", DisableDefaultText: true},
			versionsDirFlag("by which the mounts show versions, as for mount"),
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object a line: check, action, status, found, advice, count, keys", DisableDefaultText: true},
		),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, "SOURCE"); err != nil {
				return err
			}
			source, err := volume.ParseSource(c.Args().First())
			if err != nil {
				return err
			}
			access, err := parseAccess(c, source)
			if err != nil {
				return err
			}
			versions, err := parseVersionsDir(c)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
			defer stop()
			o := doctor.Options{NoProbe: c.Bool("no-probe"), VersionsDir: versions,
				Options: volume.Options{Source: source, Access: access, Log: slog.New(slog.DiscardHandler)}}
			return runDoctor(ctx, o, c.Bool("json"), std.Out)
		},
	}
}

// runDoctor prints the lines as they come: to list the keys may take a while.
func runDoctor(ctx context.Context, o doctor.Options, asJSON bool, out io.Writer) error {
	failed, header := false, asJSON
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	err := doctor.Run(ctx, o, func(l doctor.Line) {
		failed = failed || l.Status == doctor.Fail
		if asJSON {
			lines.Encode(l)
			return
		}
		if !header {
			fmt.Fprintln(out, doctor.Header())
			header = true
		}
		fmt.Fprintln(out, visible(l.String()))
	})
	if err == nil && failed {
		return &reportedError{ExitFailed}
	}
	return err
}
