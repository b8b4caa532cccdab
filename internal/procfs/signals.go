package procfs

import "golang.org/x/sys/unix"

// A SignalSet has one bit for each signal.
type SignalSet uint64

// Signals is the set of these signals.
func Signals(signals ...unix.Signal) (set SignalSet) {
	for _, s := range signals {
		set |= 1 << (s - 1)
	}
	return set
}
