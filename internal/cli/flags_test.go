package cli

import (
	"testing"

	"github.com/urfave/cli/v2"
)

// parsed gives what the arguments of a command parse to.
func parsed[T any](t *testing.T, name string, flags []cli.Flag, parse func(*cli.Context) (T, error), args ...string) T {
	t.Helper()
	var got T
	app := &cli.App{Commands: []*cli.Command{{Name: name, Flags: flags, HideHelpCommand: true, Action: func(c *cli.Context) (err error) {
		got, err = parse(c)
		return err
	}}}}
	if err := app.Run(append([]string{"latchfs", name}, args...)); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestParseMode(t *testing.T) {
	for in, want := range map[string]uint32{"0": 0, "644": 0o644, "0644": 0o644, "1777": 0o1777} {
		if got, ok := parseMode(in); !ok || got != want {
			t.Errorf("%q: %o, %v; want %o", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "8", "0o644", "-1", "10000", "rw-r--r--"} {
		if got, ok := parseMode(in); ok {
			t.Errorf("%q is read as %o", in, got)
		}
	}
}
