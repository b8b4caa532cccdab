package cli

import (
	"fmt"
	"os/signal"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/bytesize"
	"github.com/latchfs/latchfs/internal/mount"
	"github.com/latchfs/latchfs/internal/volume"
)

func umountCommand(std Stdio) *cli.Command {
	return &cli.Command{
		Name:      "umount",
		Usage:     "unmount and wait until everything is in the bucket",
		ArgsUsage: "MOUNTPOINT",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "state-dir", Usage: "`DIR` that the mount was given as --state-dir", DefaultText: "what the mount itself says"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, "MOUNTPOINT"); err != nil {
				return err
			}
			if at := c.Args().First(); strings.HasPrefix(at, "s3://") || strings.HasPrefix(at, volume.LocalPrefix) {
				return usagef("%q is a SOURCE: name the directory that it is mounted at, which findmnt -t fuse.latchfs shows", at)
			}
			stateDir := "" // the mount itself tells
			if c.IsSet("state-dir") {
				var err error
				if stateDir, err = parseStateDir(c); err != nil {
					return err
				}
			}
			ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
			defer stop()
			said := ""
			return mount.Unmount(ctx, c.Args().First(), stateDir, func(p mount.Progress) {
				if p.Elsewhere != said && p.Elsewhere != "" {
					fmt.Fprintf(std.Err, "latchfs: %s\n", p.Elsewhere)
				}
				said = p.Elsewhere
				what := "finish"
				if p.Files > 0 {
					what = fmt.Sprintf("save %s in %d spool files", bytesize.Format(p.Bytes), p.Files)
				}
				fmt.Fprintf(std.Err, "latchfs: waiting for pid %d to %s\n", p.PID, what)
			})
		},
	}
}
