package cli

import (
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/internal/mount"
)

// versionsDir is the name of the flag.
const versionsDir = "versions-dir"

func versionsDirFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: versionsDir, Usage: "`NAME` " + usage, Value: mount.DefaultVersionsDir}
}

// parseVersionsDir reads a name that a directory can have.
func parseVersionsDir(c *cli.Context) (string, error) {
	name := c.String(versionsDir)
	bad := func(r rune) bool { return r == '/' || r < ' ' || r == 0x7f }
	switch {
	case name == "", name == ".", name == "..", name == ".latchfs", len(name) > 255, !utf8.ValidString(name), strings.ContainsFunc(name, bad):
		return "", usagef("--%s %.300q is no name for a directory: write for example .history, or off", versionsDir, name)
	}
	return name, nil
}
