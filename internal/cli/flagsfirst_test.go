package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestFlagsFirst(t *testing.T) {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "r"}, &cli.BoolFlag{Name: "p"}, &cli.BoolFlag{Name: "yes"}, &cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}},
		&cli.StringFlag{Name: "since"}, timeFlag("wait", "", ""), &cli.StringFlag{Name: "o"},
	}
	commands := []*cli.Command{{Name: "log", Flags: flags}, {Name: "bare"},
		{Name: "hold", Flags: flags[:1], Aliases: []string{"legalhold"}, Subcommands: []*cli.Command{{Name: "set", Flags: flags}}}}
	for in, want := range map[string]string{
		"log a":                   "log -- a",
		"log a --yes":             "log --yes -- a",
		"log a -r b --since 2h c": "log -r --since 2h -- a b c",
		"log a --since=2h b":      "log --since=2h -- a b",
		"log a --since -2h b":     "log --since -2h -- a b", // the value of a flag begins as it likes
		"log a --wait 2s":         "log --wait 2s -- a",
		"log a -rp":               "log -r -p -- a",
		"log a -rn b":             "log -r -n -- a b",
		"log a -ro b":             "log -ro -- a b", // o takes a value: the library refuses it
		"log a --nope b":          "log --nope -- a b",
		"log a -- -r --since":     "log -- a -r --since",
		"log - a":                 "log -- - a",
		"log a --since":           "log --since -- a",
		"log":                     "log --",
		"hold set a -r":           "hold set -r -- a",
		"legalhold set a -r":      "hold set -r -- a",
		"hold a -r":               "hold -r -- a",
		"bare a -r":               "bare a -r",
		"unknown a -r":            "unknown a -r",
		"":                        "",
		"--version":               "--version",
	} {
		args := append([]string{"latchfs"}, strings.Fields(in)...)
		got := strings.Join(flagsFirst(commands, args)[1:], " ")
		if got = strings.Replace(got, "legalhold", "hold", 1); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	args := []string{"latchfs", "log", "a", "-r"}
	if flagsFirst(commands, args); !slices.Equal(args, []string{"latchfs", "log", "a", "-r"}) {
		t.Errorf("the arguments were changed: %q", args)
	}
	if got := flagsFirst(commands, nil); got != nil {
		t.Errorf("nothing becomes %q", got)
	}
}
