// Latchfs-local serves the objects in a folder as an S3 server on loopback: the server
// of local: mounts and of tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/latchfs/latchfs/integration/localserver/serve"
)

// Exit codes.
const (
	exitOK     = 0 // also if another server serves the folder already
	exitFailed = 1
	exitUsage  = 2
)

const usage = `usage: latchfs-local [flags] DIR

Serves the objects in the folder DIR as an S3 server on 127.0.0.1. Where, and with
which keys, is in DIR/server.json. It ends when nobody has held a shared flock on
DIR/users for a while, or on SIGTERM. If DIR is served already, it says so and ends.

flags:
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	var o serve.Options
	f := flag.NewFlagSet("latchfs-local", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.Port, "port", 0, "listen on this `port` and on no other")
	f.BoolVar(&o.Stay, "stay", false, "stay when there are no users")
	check := f.Bool("check", false, "look for faults in the folder, which nobody may serve, and end")
	f.DurationVar(&o.Grace, "grace", serve.DefaultGrace, "how `long` to stay without users")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		f.SetOutput(stdout)
		f.PrintDefaults()
		return exitOK
	case err == nil && f.NArg() != 1:
		err = errors.New("give one folder")
	case err == nil && (o.Port < 0 || o.Port > 65535):
		err = fmt.Errorf("there is no port %d", o.Port)
	case err == nil && o.Grace < 0:
		err = errors.New("--grace cannot be negative")
	}
	if err != nil {
		fmt.Fprintf(stderr, "latchfs-local: %v (see latchfs-local --help)\n", err)
		return exitUsage
	}
	o.Dir = f.Arg(0)
	if *check {
		return checkFolder(o.Dir, stdout, stderr)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	// A client or a starter that goes away must not take the server with it.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	printed, err := takePrinted()
	if err != nil {
		fmt.Fprintf(stderr, "latchfs-local: %v\n", err)
		return exitFailed
	}
	o.Printed = printed
	switch err := serve.Run(ctx, o); {
	case errors.Is(err, serve.ErrServed):
		fmt.Fprintf(stdout, "latchfs-local: %s: %v\n", o.Dir, err)
	case err != nil:
		fmt.Fprintf(stderr, "latchfs-local: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// takePrinted gives what is printed to os.Stderr from now on. versitygw prints a line for each request that it
// cannot read, and any user of this host can send one; our own standard error may be a file
// that nobody keeps short. What the runtime says of a crash still goes there.
func takePrinted() (io.Reader, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("taking what is printed: %w", err)
	}
	os.Stderr = w
	return r, nil
}

// checkFolder names the faults of a folder, one in a line.
func checkFolder(dir string, stdout, stderr io.Writer) int {
	faults, err := serve.Check(dir)
	if err != nil {
		fmt.Fprintf(stderr, "latchfs-local: checking %s: %v\n", dir, err)
		return exitFailed
	}
	for _, f := range faults {
		fmt.Fprintln(stdout, f)
	}
	if len(faults) > 0 {
		return exitFailed
	}
	fmt.Fprintf(stdout, "%s: no faults\n", dir)
	return exitOK
}
