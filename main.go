// Latchfs mounts an S3 bucket on several hosts at once without losing updates.
package main

import (
	"context"
	"os"

	"github.com/latchfs/latchfs/internal/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args, cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
