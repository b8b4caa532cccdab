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

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// versioningAdvice is what the S3 User Guide says under "Enabling versioning on
// buckets".
const versioningAdvice = "S3 advises to wait 15 minutes after versioning was switched on before anything is written"

type initOptions struct {
	Source     source
	Connection connection
	Lock       *lockSpec // nil: the bucket's own, or the default
	// Timing has 0 where the table's own, or the default, is meant.
	Timing lockmgr.Timing
	Yes    bool
}

func initCommand(std Stdio) *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "create or check bucket, lock table and their bond",
		ArgsUsage: "SOURCE",
		Description: "SOURCE is s3://bucket, bucket or local:DIR. Running it again changes nothing and says so.\n" +
			"The times belong to the lock table, which many buckets may share.",
		Flags: append(connectionFlags(),
			&cli.StringFlag{Name: "lock", Usage: "lock `TABLE`, dynamodb:TABLE or s3:BUCKET", DefaultText: "the bucket's own; for a new one on AWS dynamodb:latchfs"},
			&cli.DurationFlag{Name: "beat", Usage: "`TIME` between two heartbeats of a mount", DefaultText: "3s on DynamoDB, 10s on S3"},
			&cli.DurationFlag{Name: "lease", Usage: "`TIME` of silence after which a mount counts as dead, at least 4 beats", DefaultText: "20s on DynamoDB, 60s on S3"},
			&cli.DurationFlag{Name: "delay", Usage: "`TIME` that its locks stay closed after that, at least 1s", DefaultText: "30s"},
			&cli.BoolFlag{Name: "yes", Usage: "change an existing bucket without asking", DisableDefaultText: true},
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
	if o.Source, err = parseSource(c.Args().First()); err != nil {
		return o, err
	}
	o.Connection = parseConnection(c)
	if s := c.String("lock"); s != "" || c.IsSet("lock") {
		l, err := parseLock(s)
		if err != nil {
			return o, err
		}
		if o.Source.Local != "" {
			return o, usagef("--lock does not go with local:, which keeps its lock table itself")
		}
		if l.Backend == backendS3 && l.Table == o.Source.Bucket {
			return o, usagef("--lock %s is the bucket itself: name another bucket, without versioning", l)
		}
		o.Lock = &l
	}
	for name, p := range map[string]*time.Duration{"beat": &o.Timing.Beat, "lease": &o.Timing.Lease, "delay": &o.Timing.Delay} {
		if *p, err = duration(c, name); err != nil {
			return o, err
		}
	}
	o.Yes = c.Bool("yes")
	return o, nil
}

func runInit(ctx context.Context, o initOptions, std Stdio) error {
	log := slog.New(slog.DiscardHandler)
	r, err := reachSource(ctx, o.Source, o.Connection, log)
	if err != nil {
		return err
	}
	defer r.close()
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	bucket, err := r.bucket(ctx, o.Source.Bucket, host, log)
	if err != nil {
		return err
	}
	exists, err := checkInit(ctx, bucket, o, r)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(std.Out, format+"\n", args...) }
	if err := initBucket(ctx, bucket, exists, o, r, std, say); err != nil {
		return err
	}
	return bind(ctx, bucket, o, r, say)
}

// checkInit finds what is wrong with the request before anything is changed, and tells
// whether the bucket is there.
func checkInit(ctx context.Context, b *store.Client, o initOptions, r *reach) (exists bool, err error) {
	err = checkBucket(ctx, b)
	exists = !errors.Is(err, store.ErrNoBucket)
	if err != nil && exists {
		return exists, explainBucket(err, o.Source, r)
	}
	var bound *store.BucketConfig
	if exists {
		if bound, err = readBound(ctx, b, o.Source, r); err != nil {
			return exists, err
		}
	}
	l, err := o.lock(r, bound)
	if err != nil {
		return exists, err
	}
	if err := withDefaults(o.Timing, l.defaultTiming(o.Source)).Validate(); err != nil && o.Timing != (lockmgr.Timing{}) {
		return exists, usagef("%v: choose other --beat, --lease and --delay", err)
	}
	t, err := r.table(ctx, l)
	if err != nil {
		return exists, err
	}
	if _, err := t.ReadConfig(ctx); err != nil && !errors.Is(err, lockmgr.ErrNoTable) {
		return exists, explainTable(err, l, o.Source, r)
	}
	return exists, nil
}

// initBucket makes sure that the bucket is there and keeps versions.
func initBucket(ctx context.Context, b *store.Client, exists bool, o initOptions, r *reach, std Stdio, say func(string, ...any)) error {
	name := o.Source.Bucket
	if !exists {
		if err := b.CreateBucket(ctx); err != nil {
			return fmt.Errorf("creating bucket %s: %w", name, err)
		}
		if err := b.EnableVersioning(ctx); err != nil {
			return fmt.Errorf("switching on versioning of bucket %s: %w", name, err)
		}
		say("bucket %s: created, versioning on (%s)", name, versioningAdvice)
		return nil
	}
	versioned, err := b.Versioned(ctx)
	if err != nil {
		return explainBucket(err, o.Source, r)
	}
	if versioned {
		say("bucket %s: exists, versioning is on", name)
		return nil
	}
	if !o.Yes {
		if err := ask(std, fmt.Sprintf("Bucket %s exists without versioning. Switch it on (it can be suspended later, never removed)?", name)); err != nil {
			return fmt.Errorf("bucket %s has no versioning and was not changed: %w", name, err)
		}
	}
	if err := b.EnableVersioning(ctx); err != nil {
		return fmt.Errorf("switching on versioning of bucket %s: %w", name, err)
	}
	say("bucket %s: exists, versioning switched on (%s)", name, versioningAdvice)
	return nil
}

// ask returns nil if the person at the terminal says yes.
func ask(std Stdio, question string) error {
	if std.In == nil {
		return errors.New("run it again with --yes to allow that")
	}
	if _, err := unix.IoctlGetTermios(int(std.In.Fd()), unix.TCGETS); err != nil {
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

// lock chooses the lock table: the one that the bucket is bound to, the one named, or
// the default.
func (o initOptions) lock(r *reach, bound *store.BucketConfig) (lockSpec, error) {
	if bound != nil {
		l := lockSpec{bound.Lock.Backend, bound.Lock.Table}
		if o.Lock != nil && *o.Lock != l {
			return l, fmt.Errorf("bucket %s is bound to lock table %s and cannot move to %s: leave --lock out, or name %s", o.Source.Bucket, l, *o.Lock, l)
		}
		return l, nil
	}
	switch {
	case o.Source.Local != "":
		return localLock, nil
	case o.Lock != nil:
		return *o.Lock, nil
	case r.onAWS():
		return lockSpec{backendDynamo, "latchfs"}, nil
	}
	return lockSpec{}, fmt.Errorf("%s is not AWS, so the lock table has to be named: add --lock dynamodb:TABLE or --lock s3:BUCKET", r.Endpoint)
}
