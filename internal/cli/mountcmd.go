package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

func mountCommand(args []string, std Stdio) *cli.Command {
	return &cli.Command{
		Name:      "mount",
		Usage:     "mount a bucket",
		ArgsUsage: "SOURCE MOUNTPOINT",
		Description: "SOURCE is s3://bucket[/prefix/], bucket[:prefix] or local:DIR, a folder with an embedded S3 server.\n" +
			"Without -f the command returns once the bucket is mounted. SIGTERM saves what was closed,\n" +
			"then unmounts; a second signal ends it at once.",
		Flags: mountFlags(),
		Action: func(c *cli.Context) error {
			o, err := parseMount(c)
			if err != nil {
				return err
			}
			ready, isChild := background()
			if !o.Foreground && !isChild {
				// Without it /dev may lack what starting another process takes, too.
				if err := checkFUSE(o.AllowOther); err != nil {
					return err
				}
				return startBackground(c.Context, args, std)
			}
			return runMount(c.Context, o, ready, std)
		},
	}
}

// runMount mounts and serves until the mount is gone. ready is nil in the foreground.
func runMount(ctx context.Context, o mountOptions, ready *readiness, std Stdio) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	defer signal.Stop(signals)

	out, log := newMountLog(o.LogLevel, std.Err)
	m, err := untilSignal(ctx, signals, func(ctx context.Context) (*mount, error) {
		return newMount(ctx, o, log)
	})
	if err != nil {
		return err
	}
	if ready == nil {
		out.release(std.Err)
		return m.serve(signals)
	}
	f, err := openLog(o.StateDir)
	if err != nil {
		return errors.Join(err, m.abandon())
	}
	out.release(f)
	// The directory that the command was given in must not stay busy.
	if err := os.Chdir("/"); err != nil {
		log.Warn("leaving the working directory", "err", err)
	}
	if err := ready.mounted(); err != nil {
		log.Error("the command that asked for the mount is gone, unmounting", "err", err)
		return errors.Join(err, m.abandon())
	}
	return m.serve(signals)
}

var errInterrupted = errors.New("interrupted before it was mounted")

// untilSignal runs start under a context that the first signal ends. If it is mounted all the
// same, the signal is for whoever serves the mount: a program may have written to it.
func untilSignal(ctx context.Context, signals chan os.Signal, start func(context.Context) (*mount, error)) (*mount, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type result struct {
		m   *mount
		err error
	}
	done := make(chan result, 1)
	go func() {
		m, err := start(ctx)
		done <- result{m, err}
	}()
	select {
	case r := <-done:
		return r.m, r.err
	case s := <-signals:
		cancel(errInterrupted)
		r := <-done
		if _, unsaved := errors.AsType[*unsavedError](r.err); unsaved {
			return nil, r.err
		}
		if r.err != nil {
			return nil, errInterrupted
		}
		select {
		case signals <- s:
		default: // there are more already
		}
		return r.m, nil
	}
}
