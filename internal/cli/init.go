package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/mount"
	"github.com/latchfs/latchfs/internal/volume"
)

// initOptions is the parsed command line of init.
type initOptions struct {
	Source volume.Source
	Access volume.Access
	Init   volume.InitOptions // but for its functions
	Yes    bool
}

func initCommand(std Stdio) *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "create or check bucket, lock table and their bond",
		ArgsUsage: "SOURCE",
		Description: "SOURCE is s3://bucket, bucket or local:DIR. Running it again changes nothing and says so.\n" +
			"The times belong to the lock table, which many buckets may share.",
		Flags: append(accessFlags(),
			&cli.StringFlag{Name: "lock", Usage: "lock `TABLE`, dynamodb:TABLE or s3:BUCKET", DefaultText: "the bucket's own; for a new one on AWS dynamodb:latchfs"},
			timeFlag("beat", "`TIME` between two heartbeats of a mount", "3s on DynamoDB, 10s on S3, 2s for local:"),
			timeFlag("lease", "`TIME` of silence after which a mount counts as dead, at least 4 beats", "20s on DynamoDB, 60s on S3, 15s for local:"),
			timeFlag("delay", "`TIME` that its locks stay closed after that, at least 1s", "30s, 15s for local:"),
			&cli.BoolFlag{Name: "rebind", Usage: "bind the bucket to another lock table, or to the one made anew, if no host has it mounted", DisableDefaultText: true},
			&cli.BoolFlag{Name: "yes", Usage: "change an existing bucket without asking, and prove the server where Object Lock keeps what that writes", DisableDefaultText: true},
		),
		Action: func(c *cli.Context) error {
			o, err := parseInit(c)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
			defer stop()
			return runInit(ctx, o, std)
		},
	}
}

func parseInit(c *cli.Context) (o initOptions, err error) {
	if err := wantArgs(c, "SOURCE"); err != nil {
		return o, err
	}
	if err := refuseEmpty(c); err != nil {
		return o, err
	}
	if o.Source, err = volume.ParseSource(c.Args().First()); err != nil {
		return o, err
	}
	if o.Source.Prefix != "" {
		return o, usagef("SOURCE %s is a part of a bucket, and init makes all of it ready: write %s", o.Source, volume.Source{Bucket: o.Source.Bucket})
	}
	if o.Access, err = parseAccess(c, o.Source); err != nil {
		return o, err
	}
	if s := c.String("lock"); s != "" {
		n, err := volume.ParseTableName(s)
		if err != nil {
			return o, err
		}
		if o.Source.Local != "" {
			return o, usagef("--lock does not go with local:, which keeps its lock table itself")
		}
		if n.Backend == volume.BackendS3 && n.Table == o.Source.Bucket {
			return o, usagef("--lock %s is the bucket itself: name another bucket, without versioning", n)
		}
		if n.Backend == volume.BackendS3 && o.Access.DynamoDBEndpoint != "" {
			return o, usagef("--dynamodb-endpoint-url does not go with --lock %s, which is no DynamoDB table", n)
		}
		o.Init.Table = &n
	}
	for name, p := range map[string]*time.Duration{"beat": &o.Init.Timing.Beat, "lease": &o.Init.Timing.Lease, "delay": &o.Init.Timing.Delay} {
		if *p, err = duration(c, name); err != nil {
			return o, err
		}
	}
	o.Init.Rebind, o.Yes = c.Bool("rebind"), c.Bool("yes")
	return o, nil
}

func runInit(ctx context.Context, o initOptions, std Stdio) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	o.Init.Say = func(format string, args ...any) { fmt.Fprintf(std.Out, format+"\n", args...) }
	o.Init.MountedHere = mount.MountedHere
	o.Init.Confirm = func(question string) error {
		if o.Yes {
			return nil
		}
		return ask(std, question)
	}
	return volume.Init(ctx, volume.Options{
		Source: o.Source, Access: o.Access, Host: host, Log: slog.New(slog.DiscardHandler),
	}, o.Init)
}

// ask returns nil if the person at the terminal says yes.
func ask(std Stdio, question string) error {
	if std.In == nil {
		return errors.New("run it again with --yes to allow that")
	}
	if !isTerminal(std.In) {
		return errors.New("run it again with --yes to allow that (there is no terminal to ask at)")
	}
	fmt.Fprint(std.Err, question+" [y/N] ")
	line, _ := bufio.NewReader(std.In).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errors.New("you did not say yes")
}
