package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst gives the command line with the flags of its command before the arguments, where the
// library wants them: people write them wherever they think of them. What stands after -- is no flag.
// Single letters that are joined, as in -rp, become flags of their own.
func flagsFirst(commands []*cli.Command, args []string) []string {
	rest := args[min(1, len(args)):]
	var flags []cli.Flag
	for len(rest) > 0 {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(rest[0]) })
		if i < 0 {
			break
		}
		flags, commands, rest = commands[i].Flags, commands[i].Subcommands, rest[1:]
	}
	if flags == nil {
		return args
	}
	known := takesValue(flags)
	out := slices.Clone(args[:len(args)-len(rest)])
	var positional []string
	for len(rest) > 0 {
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
		if letters, ok := joined(known, arg); ok {
			out = append(out, letters...)
			continue
		}
		out = append(out, arg)
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if known[name] && !hasValue && len(rest) > 0 {
			out = append(out, rest[0])
			rest = rest[1:]
		}
	}
	return append(append(out, "--"), positional...)
}

// takesValue gives the names of the flags and whether the next word is their value.
func takesValue(flags []cli.Flag) map[string]bool {
	known := make(map[string]bool)
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		for _, name := range f.Names() {
			known[name] = !ok || d.TakesValue()
		}
	}
	return known
}

// joined takes several flags of one letter apart, none of which takes a value.
func joined(known map[string]bool, arg string) (letters []string, ok bool) {
	if _, is := known[arg[1:]]; is || arg[1] == '-' || len(arg) == 2 {
		return nil, false
	}
	for _, r := range arg[1:] {
		if value, is := known[string(r)]; !is || value {
			return nil, false
		}
		letters = append(letters, "-"+string(r))
	}
	return letters, true
}
