package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/signal"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/statedir"
)

// progressInterval is the time between two progress lines of umount.
const progressInterval = 2 * time.Second

func umountCommand(std Stdio) *cli.Command {
	return &cli.Command{
		Name:      "umount",
		Usage:     "unmount and wait until everything is in the bucket",
		ArgsUsage: "MOUNTPOINT",
		Flags:     []cli.Flag{stateDirFlag()},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, "MOUNTPOINT"); err != nil {
				return err
			}
			stateDir, err := parseStateDir(c)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
			defer stop()
			return umount(ctx, c.Args().First(), stateDir, std)
		},
	}
}

func umount(ctx context.Context, arg, stateDir string, std Stdio) error {
	path, err := resolveMountpoint(arg)
	if err != nil {
		return fmt.Errorf("mount point %s: %w", arg, err)
	}
	at, isMounted, err := mountAt(path)
	if err != nil {
		return err
	}
	if isMounted && !at.ours() {
		return fmt.Errorf("%s is a file system of type %s, not of latchfs: use umount(8)", path, at.Type)
	}
	session, err := findSession(stateDir, path, at.Device)
	if err != nil {
		return err
	}
	if session == nil {
		if isMounted {
			return fmt.Errorf("the state directory %s knows nothing of the mount at %s: pass the --state-dir it was mounted with", stateDir, path)
		}
		return fmt.Errorf("nothing is mounted at %s", path)
	}
	// Opened before the unmount: the daemon removes the directory when it is done.
	end, err := statedir.Watch(stateDir, session.Name)
	if errors.Is(err, fs.ErrNotExist) && !isMounted {
		return nil // it has just finished
	}
	if err != nil {
		return err
	}
	defer end.Close()
	if isMounted {
		if err := unmount(path); err != nil {
			return explainUnmount(err, path)
		}
	}
	return awaitEnd(ctx, end, session, std)
}

// awaitEnd waits until the daemon of the session has ended and says what it left.
func awaitEnd(ctx context.Context, end *statedir.Waiter, s *statedir.Session, std Stdio) error {
	left, err := end.Wait(ctx, progressInterval, func() {
		what := "finish"
		if files, bytes := spool.Usage(end.Spool()); files > 0 {
			what = fmt.Sprintf("save %s in %d spool files", humanSize(bytes), files)
		}
		fmt.Fprintf(std.Err, "latchfs: waiting for pid %d to %s\n", s.Mount.PID, what)
	})
	if ctx.Err() != nil {
		return fmt.Errorf("%s is unmounted, but not everything was saved yet: pid %d goes on (its log: %s)", s.Mount.Mountpoint, s.Mount.PID, logPath(end.StateDir()))
	}
	if err != nil || !left {
		return err
	}
	unsaved, err := unsavedFiles(end.Spool())
	if err != nil {
		return fmt.Errorf("reading the spool of %s: %w", s.Mount.Source, err)
	}
	if len(unsaved) == 0 {
		return nil
	}
	return &unsavedError{fmt.Sprintf("not in the bucket yet, kept in %s: %s; mount %s again to save them",
		end.Spool(), strings.Join(unsaved, ", "), s.Mount.Source)}
}

// findSession finds the session directory of the mount at path: while it is mounted
// (device is not empty) the one with that device number, else the one whose daemon still
// finishes; a dead one only if no live one is found. Device numbers come again: who
// unmounts, and who recovers a dead session, takes the number out of mount.json.
func findSession(stateDir, path, device string) (*statedir.Session, error) {
	all, err := statedir.Scan(stateDir)
	var dead *statedir.Session
	for _, s := range all {
		if s.Mount.Mountpoint != path {
			continue
		}
		if device != "" && s.Mount.Device != device {
			continue
		}
		if !statedir.Dead(stateDir, s.Name) {
			return &s, nil
		}
		dead = &s
	}
	if dead != nil {
		return dead, nil
	}
	return nil, err // what Scan could not read may be the one
}

func explainUnmount(err error, path string) error {
	if !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("unmounting %s: %w", path, err)
	}
	who := "a process that this user may not look at"
	if found := users(path, 3); len(found) > 0 {
		who = strings.Join(found, ", ")
	} else if uses("/proc/self", path) {
		who = "this command, which was started in it"
	}
	return fmt.Errorf("%s is in use by %s: close its files and leave the directory, then try again", path, who)
}
