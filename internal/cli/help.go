package cli

import (
	"slices"
	"strings"
)

// helpFirst gives the command line that shows a command's help, where -h or --help stands anywhere
// before --, and otherwise args. The library knows the flag only before the first argument, and
// takes an argument after it for a topic.
func helpFirst(args []string) []string {
	asked, command := false, ""
	for _, a := range args[min(1, len(args)):] {
		if a == "--" {
			break
		}
		switch {
		case slices.Contains([]string{"-h", "--h", "-help", "--help"}, a):
			asked = true
		case command == "" && !strings.HasPrefix(a, "-"):
			command = a
		}
	}
	switch {
	case !asked:
		return args
	case command == "":
		return []string{args[0], "--help"}
	}
	return []string{args[0], command, "--help"}
}
