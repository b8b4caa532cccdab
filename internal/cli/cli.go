// Package cli is the command line: every command parses its arguments, builds the
// layers it needs, calls them and prints one line for whoever reads it.
//
// The exit codes and the one-line errors on standard error are an interface: scripts
// rely on them.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
)

// Version is the version that --version prints and lock sessions carry.
const Version = "0.1.0"

// Exit codes. A command that works on several files does all it can, and exits with the highest.
const (
	ExitOK       = 0
	ExitFailed   = 1
	ExitUsage    = 2 // the command line was wrong; nothing was done
	ExitUnsaved  = 3 // files remain in the spool that are not in the bucket
	ExitChanged  = 4 // a condition did not hold: somebody was faster
	ExitLocked   = 5 // locked by somebody else
	ExitRetained = 6 // Object Lock refuses
)

// Stdio are the streams of a command. In is asked only by init, and only when it is a
// terminal.
type Stdio struct {
	In       *os.File
	Out, Err io.Writer
}

// Run runs the command line args (with the program's name first) and returns the exit
// code, which is one of mount(8)'s where the program is called as its helper. Every error is one line on std.Err that says what is wrong and what to do.
func Run(ctx context.Context, args []string, std Stdio) int {
	code, err := exitCode, error(nil)
	if isHelper(args) {
		code = helperExitCode
		args, err = helperArgs(args)
	} else {
		args = helpFirst(args)
	}
	if err == nil {
		app := newApp(args, std)
		err = app.RunContext(ctx, flagsFirst(app.Commands, args))
	}
	if _, said := errors.AsType[*reportedError](err); err != nil && !said {
		fmt.Fprintln(std.Err, "latchfs: "+oneLine(err))
	}
	return code(err)
}

func newApp(args []string, std Stdio) *cli.App {
	app := &cli.App{
		Name:            "latchfs",
		Usage:           "mount an S3 bucket on several hosts at once without losing updates",
		Version:         Version,
		HideHelpCommand: true,
		Reader:          std.In,
		Writer:          std.Out,
		ErrWriter:       std.Err,
		OnUsageError:    onUsageError,
		// The exit code is ours to choose, in Run.
		ExitErrHandler: func(*cli.Context, error) {},
		Action: func(c *cli.Context) error {
			if name := c.Args().First(); name != "" {
				return usagef("unknown command %q: see latchfs --help", name)
			}
			return usagef("a command is missing: see latchfs --help")
		},
	}
	app.Commands = commands(args, std)
	for _, cmd := range app.Commands {
		cmd.OnUsageError = onUsageError
		cmd.HideHelpCommand = true // or it would hide a bucket named help
	}
	return app
}

// commands gives all commands, in the order in which help shows them.
func commands(args []string, std Stdio) []*cli.Command {
	return []*cli.Command{
		initCommand(std),
		mountCommand(args, std),
		umountCommand(std),
		doctorCommand(std),
		gcCommand(std),
		logCommand(std),
		catCommand(std),
		diffCommand(std),
		restoreCommand(std),
		undeleteCommand(std),
		undoCommand(std),
		labelCommand(std),
		pruneCommand(std),
		lifecycleCommand(std),
	}
}

func onUsageError(c *cli.Context, err error, sub bool) error {
	see := "latchfs --help"
	if sub {
		see = "latchfs " + c.Command.Name + " --help"
	}
	return usagef("%v: see %s", err, see)
}
