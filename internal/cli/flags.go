package cli

import (
	"os"
	"path/filepath"
	"strconv"
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

// parseAccess reads the flags of accessFlags, none of which means anything for a folder with an
// embedded server.
func parseAccess(c *cli.Context, source volume.Source) (volume.Access, error) {
	if source.Local != "" {
		for _, f := range accessFlags() {
			if name := f.Names()[0]; c.IsSet(name) {
				return volume.Access{}, usagef("--%s does not go with %s, which has a server of its own", name, volume.LocalPrefix)
			}
		}
	}
	a := volume.Access{
		Region: c.String("region"), Profile: c.String("profile"),
		Endpoint: c.String("endpoint-url"), DynamoDBEndpoint: c.String("dynamodb-endpoint-url"),
		PathStyle: c.Bool("force-path-style"),
	}
	return a, a.Check()
}

func stateDirFlag() cli.Flag {
	return &cli.StringFlag{Name: "state-dir", Usage: "`DIR` for data on its way to the bucket", DefaultText: "/var/lib/latchfs for root, else latchfs in $XDG_STATE_HOME or ~/.local/state"}
}

func parseStateDir(c *cli.Context) (string, error) {
	if dir := c.String("state-dir"); dir != "" {
		if i, err := os.Stat(dir); err == nil && !i.IsDir() {
			return "", usagef("--state-dir %s is not a directory: name one", dir)
		}
		return filepath.Abs(dir)
	}
	if c.IsSet("state-dir") {
		return "", usagef("--state-dir is empty: name a directory")
	}
	return statedir.Default()
}

// wantArgs checks that the arguments are exactly those named.
func wantArgs(c *cli.Context, names ...string) error {
	args := c.Args().Slice()
	usage := "latchfs " + c.Command.Name + " [flags]"
	for _, n := range names {
		usage += " " + n
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
	d := timeOf(c, name)
	if d < 0 || (d == 0 && c.IsSet(name)) {
		return 0, usagef("--%s %s: it has to be more than 0", name, d)
	}
	return d, nil
}

// durationOrZero reads a flag that may be 0.
func durationOrZero(c *cli.Context, name string) (time.Duration, error) {
	d := timeOf(c, name)
	if d < 0 {
		return 0, usagef("--%s %s: it must not be less than 0", name, d)
	}
	return d, nil
}

// parseMode reads permission bits in octal.
func parseMode(s string) (mode uint32, ok bool) {
	n, err := strconv.ParseUint(s, 8, 32)
	return uint32(n), err == nil && n <= 0o7777
}
