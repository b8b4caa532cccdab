package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// become runs this program anew in this process, so that the arguments that ps shows are the ones
// given here, with env (NAME=VALUE) added to its environment, and in another mount namespace unless
// that is "". It returns only on failure.
func become(args, env []string, namespace string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program to start it anew: %w", err)
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting the environment variable %s: %w", name, err)
		}
	}
	if namespace != "" {
		// The thread that calls exec is the one that goes on, with its namespace.
		runtime.LockOSThread()
		if err := enter(namespace); err != nil {
			return fmt.Errorf("entering the mount namespace %s: %w", namespace, err)
		}
	}
	return fmt.Errorf("starting %s anew: %w", self, unix.Exec(self, args, os.Environ()))
}

// enter moves the calling thread into the mount namespace that a file stands for, or that a process
// is in.
func enter(namespace string) error {
	if _, err := strconv.Atoi(namespace); err == nil {
		namespace = filepath.Join("/proc", namespace, "ns/mnt")
	}
	f, err := os.Open(namespace)
	if err != nil {
		return err
	}
	defer f.Close()
	// A thread that shares its working directory with others may not leave.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	return unix.Setns(int(f.Fd()), unix.CLONE_NEWNS)
}

// commandLine gives arguments that mean the same as those that were parsed, but for the words of -o.
func commandLine(c *cli.Context, name string, words optionWords) []string {
	args := []string{name, c.Command.Name}
	for _, flag := range c.LocalFlagNames() {
		if flag != "o" {
			args = append(args, fmt.Sprintf("--%s=%v", flag, c.Value(flag)))
		}
	}
	if len(words) > 0 {
		args = append(args, "-o", words.String())
	}
	return append(append(args, "--"), c.Args().Slice()...)
}
