package volume

import (
	"strings"

	"github.com/latchfs/latchfs/store"
)

// Server names the server in messages.
func (v *Volume) Server() string { return v.server() }

// JudgeFlaw tells what a server that has a flaw fails to do, what follows from that, and how it may
// be mounted.
func JudgeFlaw(f store.Flaws) (mode Mode, fails, follows string) {
	mode, line := judge("it", f, false)
	fails, follows, _ = strings.Cut(line, ": ")
	return mode, fails, follows
}
