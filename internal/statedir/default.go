package statedir

import (
	"fmt"
	"os"
	"path/filepath"
)

// Default gives the state directory of the calling user: /var/lib/latchfs for root,
// else latchfs below $XDG_STATE_HOME or ~/.local/state.
func Default() (string, error) { return defaultOf(os.Geteuid()) }

func defaultOf(uid int) (string, error) {
	if uid == 0 {
		return "/var/lib/latchfs", nil
	}
	if d := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "latchfs"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the state directory (%w): name one with --state-dir", err)
	}
	return filepath.Join(home, ".local", "state", "latchfs"), nil
}
