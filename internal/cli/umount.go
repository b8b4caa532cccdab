package cli

import (
	"fmt"
	"io"
	"os/signal"
	"strings"
	"time"

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
			return mount.Unmount(ctx, c.Args().First(), stateDir, tellProgress(std.Err))
		},
	}
}

// progressAgain is the time after which the same progress is told again.
const progressAgain = 10 * time.Second

// tellProgress tells what an unmount waits for: at once, when it is something else, and now and then, so that
// nobody takes it for stuck.
func tellProgress(to io.Writer) func(mount.Progress) {
	var last time.Time
	var saving bool
	var elsewhere string
	return func(p mount.Progress) {
		if p.Elsewhere != elsewhere && p.Elsewhere != "" {
			fmt.Fprintf(to, "latchfs: %s\n", p.Elsewhere)
		}
		same := p.Elsewhere == elsewhere && (p.Files > 0) == saving
		if same && !last.IsZero() && time.Since(last) < progressAgain {
			return
		}
		last, saving, elsewhere = time.Now(), p.Files > 0, p.Elsewhere
		what := "finish"
		if saving {
			what = fmt.Sprintf("save %s in %d spool files", bytesize.Format(p.Bytes), p.Files)
		}
		fmt.Fprintf(to, "latchfs: waiting for pid %d to %s\n", p.PID, what)
	}
}
