package cli

import (
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/internal/volume"
)

func accessFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "region", Usage: "the bucket's `REGION`", DefaultText: "the SDK's: AWS_REGION, profile"},
		&cli.StringFlag{Name: "endpoint-url", Usage: "`URL` of an S3 server other than AWS (also AWS_ENDPOINT_URL_S3)"},
		&cli.StringFlag{Name: "dynamodb-endpoint-url", Usage: "`URL` of a DynamoDB server other than AWS (also AWS_ENDPOINT_URL_DYNAMODB)"},
		&cli.StringFlag{Name: "profile", Usage: "`PROFILE` of the shared AWS configuration", DefaultText: "AWS_PROFILE"},
		&cli.BoolFlag{Name: "force-path-style", Usage: "name the bucket in the path of requests, not in the host name", DisableDefaultText: true},
	}
}

func parseAccess(c *cli.Context) volume.Access {
	return volume.Access{
		Region: c.String("region"), Profile: c.String("profile"),
		Endpoint: c.String("endpoint-url"), DynamoDBEndpoint: c.String("dynamodb-endpoint-url"),
		PathStyle: c.Bool("force-path-style"),
	}
}

func stateDirFlag() cli.Flag {
	return &cli.StringFlag{Name: "state-dir", Usage: "`DIR` for data on its way to the bucket", DefaultText: "/var/lib/latchfs for root, else $XDG_STATE_HOME/latchfs"}
}

func parseStateDir(c *cli.Context) (string, error) {
	if dir := c.String("state-dir"); dir != "" {
		return filepath.Abs(dir)
	}
	if c.IsSet("state-dir") {
		return "", usagef("--state-dir is empty: name a directory")
	}
	return statedir.Default()
}

// mountOptions is the parsed command line of mount.
type mountOptions struct {
	Source     volume.Source
	Mountpoint string // absolute, symbolic links resolved by checkMountpoint
	Access     volume.Access
	StateDir   string
	Foreground bool
	LogLevel   slog.Level

	// LockTimeout and FlushTimeout are 0 where they follow from the lock table's times.
	LockTimeout, FlushTimeout time.Duration
	MetadataTTL               time.Duration
	SpoolLimit                int64 // bytes; 0: a share of what is free

	UID, GID          uint32
	FileMode, DirMode uint32 // permission bits
	Umask             uint32
	AllowOther        bool
	ReadOnly          bool
}

func mountFlags() []cli.Flag {
	return append(accessFlags(),
		&cli.BoolFlag{Name: "f", Usage: "stay in the foreground and log to standard error", DisableDefaultText: true},
		&cli.DurationFlag{Name: "lock-timeout", Usage: "`TIME` that an open waits for a file locked elsewhere, then EBUSY", DefaultText: "twice the table's lease and delay"},
		&cli.DurationFlag{Name: "flush-timeout", Usage: "`TIME` that a close waits for the bucket's answer, then EIO, the data kept", DefaultText: "twice the table's delay and stall limit"},
		stateDirFlag(),
		&cli.StringFlag{Name: "spool-limit", Usage: "most `BYTES` (K, M, G, T) of data on their way, then ENOSPC", DefaultText: "80 % of what is free at mount"},
		&cli.UintFlag{Name: "uid", Usage: "owner `ID` of objects that name none", Value: uint(os.Getuid()), DefaultText: "the caller"},
		&cli.UintFlag{Name: "gid", Usage: "group `ID` of objects that name none", Value: uint(os.Getgid()), DefaultText: "the caller's"},
		&cli.StringFlag{Name: "file-mode", Usage: "octal `MODE` of objects that name none", Value: "0644"},
		&cli.StringFlag{Name: "dir-mode", Usage: "octal `MODE` of directories that name none", Value: "0755"},
		&cli.StringFlag{Name: "umask", Usage: "octal `BITS` taken from --file-mode and --dir-mode", Value: "0"},
		&cli.BoolFlag{Name: "allow-other", Usage: "let other users in, by the permissions of the files", DisableDefaultText: true},
		&cli.BoolFlag{Name: "read-only", Usage: "refuse every change", DisableDefaultText: true},
		&cli.DurationFlag{Name: "metadata-ttl", Usage: "`TIME` that names and attributes are believed", Value: time.Second},
		&cli.StringFlag{Name: "log-level", Usage: "`LEVEL` of the log: debug, info, warn or error", Value: "info"},
	)
}

// parseMount checks everything of the command line that can be checked without
// touching anything.
func parseMount(c *cli.Context) (o mountOptions, err error) {
	if err := wantArgs(c, "SOURCE", "MOUNTPOINT"); err != nil {
		return o, err
	}
	if o.Source, err = volume.ParseSource(c.Args().Get(0)); err != nil {
		return o, err
	}
	if o.Mountpoint, err = filepath.Abs(c.Args().Get(1)); err != nil {
		return o, err
	}
	o.Access = parseAccess(c)
	if o.StateDir, err = parseStateDir(c); err != nil {
		return o, err
	}
	o.Foreground = c.Bool("f")
	if err := o.LogLevel.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return o, usagef("--log-level %q: choose debug, info, warn or error", c.String("log-level"))
	}
	if o.LockTimeout, err = duration(c, "lock-timeout"); err != nil {
		return o, err
	}
	if o.FlushTimeout, err = duration(c, "flush-timeout"); err != nil {
		return o, err
	}
	if o.MetadataTTL, err = duration(c, "metadata-ttl"); err != nil {
		return o, err
	}
	if s := c.String("spool-limit"); s != "" {
		if o.SpoolLimit, err = parseSize(s); err != nil {
			return o, usagef("--spool-limit: %v", err)
		}
	}
	if o.UID, err = id(c, "uid"); err != nil {
		return o, err
	}
	if o.GID, err = id(c, "gid"); err != nil {
		return o, err
	}
	for name, p := range map[string]*uint32{"file-mode": &o.FileMode, "dir-mode": &o.DirMode, "umask": &o.Umask} {
		if *p, err = parseMode(c.String(name)); err != nil {
			return o, usagef("--%s: %v", name, err)
		}
	}
	o.AllowOther, o.ReadOnly = c.Bool("allow-other"), c.Bool("read-only")
	return o, nil
}

// wantArgs checks that the arguments are exactly those named.
func wantArgs(c *cli.Context, names ...string) error {
	args := c.Args().Slice()
	usage := "latchfs " + c.Command.Name + " [flags]"
	for _, n := range names {
		usage += " " + n
	}
	for _, a := range args {
		if len(a) > 1 && a[0] == '-' {
			return usagef("flag %s comes after an argument: write %s", a, usage)
		}
	}
	for i, n := range names {
		if len(args) <= i || args[i] == "" {
			return usagef("%s is missing: write %s", n, usage)
		}
	}
	if len(args) > len(names) {
		return usagef("argument %q is too much: write %s", args[len(names)], usage)
	}
	return nil
}

// duration reads a flag that has to be positive where it is given.
func duration(c *cli.Context, name string) (time.Duration, error) {
	d := c.Duration(name)
	if d < 0 || (d == 0 && c.IsSet(name)) {
		return 0, usagef("--%s %s: it has to be more than 0", name, d)
	}
	return d, nil
}

func id(c *cli.Context, name string) (uint32, error) {
	n := c.Uint(name)
	if uint64(n) >= 1<<32-1 { // -1 means "no change" to chown(2)
		return 0, usagef("--%s %d: it has to be less than 4294967295", name, n)
	}
	return uint32(n), nil
}
