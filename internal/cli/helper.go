package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// helperNames are the names under which mount(8) looks for the helper of the types latchfs and
// fuse.latchfs; they are links to this program.
var helperNames = []string{"mount.latchfs", "mount.fuse.latchfs"}

func isHelper(args []string) bool {
	return len(args) > 0 && slices.Contains(helperNames, filepath.Base(args[0]))
}

// A helperCall is the command line of a mount helper, as mount(8) gives it under "External helpers"
// and mount.fuse(8) passes it on.
type helperCall struct {
	name               string // of the helper
	source, mountpoint string
	options            optionWords
	fake               bool   // -f: check everything that can be checked and do not mount
	sloppy             bool   // -s: overlook options that do not exist
	namespace          string // -N: the file of a mount namespace, or a process in it
}

// helperPath is where programs are looked for if the environment does not say.
const helperPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// helperArgs turns a helper's command line into that of latchfs mount. Where it holds environment
// variables or a namespace, this process begins again in them, without those arguments.
func helperArgs(args []string) ([]string, error) {
	// mount(8) called by a user has cleared its environment, and fusermount3 has to be found.
	if os.Getenv("PATH") == "" {
		if err := os.Setenv("PATH", helperPath); err != nil {
			return nil, fmt.Errorf("setting PATH: %w", err)
		}
	}
	call, err := parseHelper(args)
	if err != nil {
		return nil, err
	}
	env, rest, err := call.options.takeEnv()
	if err != nil {
		return nil, err
	}
	if len(env) > 0 || call.namespace != "" {
		namespace := call.namespace
		call.namespace, call.options = "", rest
		return nil, become(call.args(), env, namespace)
	}
	return call.mountArgs(), nil
}

// parseHelper reads the command line as getopt(3) does: flags may be joined and may stand anywhere.
func parseHelper(args []string) (helperCall, error) {
	call := helperCall{name: args[0]}
	usage := filepath.Base(args[0]) + " SOURCE MOUNTPOINT [-sfnv] [-N namespace] [-o options] [-t type]"
	var positional []string
	for rest := args[1:]; len(rest) > 0; {
		arg := rest[0]
		rest = rest[1:]
		if arg == "--" {
			positional = append(positional, rest...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			positional = append(positional, arg)
			continue
		}
		for i := 1; i < len(arg); i++ {
			switch arg[i] {
			case 'n', 'v': // there is no mtab to write, and nothing more to say
			case 'f':
				call.fake = true
			case 's':
				call.sloppy = true
			case 'o', 't', 'N':
				value := arg[i+1:]
				if value == "" {
					if len(rest) == 0 {
						return call, usagef("flag -%c lacks its value: write %s", arg[i], usage)
					}
					value, rest = rest[0], rest[1:]
				}
				call.set(arg[i], value)
				i = len(arg)
			default:
				return call, usagef("flag %s is not one of a mount helper: write %s", arg, usage)
			}
		}
	}
	if len(positional) != 2 || slices.Contains(positional, "") {
		return call, usagef("SOURCE and MOUNTPOINT have to be given, and nothing else: write %s", usage)
	}
	call.source, call.mountpoint = positional[0], positional[1]
	return call, nil
}

func (h *helperCall) set(flag byte, value string) {
	switch flag {
	case 'o':
		h.options.Set(value)
	case 'N':
		h.namespace = value
	} // -t says by which of our names we were called
}

// args gives the command line back.
func (h helperCall) args() []string {
	args := []string{h.name}
	if h.fake {
		args = append(args, "-f")
	}
	if h.sloppy {
		args = append(args, "-s")
	}
	if len(h.options) > 0 {
		args = append(args, "-o", h.options.String())
	}
	return append(args, "--", h.source, h.mountpoint)
}

// mountArgs is the same for latchfs mount.
func (h helperCall) mountArgs() []string {
	args := []string{"latchfs", "mount", "--" + helperFlag}
	if h.fake {
		args = append(args, "--"+fakeFlag)
	}
	words := h.options
	if h.sloppy {
		table := optionTable(mountFlags())
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool {
			name, _, _ := cutOption(w)
			_, ok := find(table, name)
			return !ok
		})
	}
	// mount -a tells what is mounted already by the source as the fstab file has it.
	if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "fsname=") }) {
		words = append(optionWords{"fsname=" + h.source}, words...)
	}
	return append(args, "-o", words.String(), "--", h.source, h.mountpoint)
}

// Exit codes of mount(8), which passes on those of its helper.
const (
	mountExitUsage  = 1
	mountExitSystem = 2
	mountExitFailed = 32
)

// helperExitCode is exitCode in the numbers of mount(8).
func helperExitCode(err error) int {
	for _, lacking := range []unix.Errno{unix.ENOMEM, unix.EAGAIN, unix.EMFILE, unix.ENFILE} {
		if errors.Is(err, lacking) {
			return mountExitSystem
		}
	}
	switch exitCode(err) {
	case ExitOK:
		return ExitOK
	case ExitUsage:
		return mountExitUsage
	}
	return mountExitFailed
}
