package lockmgr

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/wait"
)

// boottime reads CLOCK_BOOTTIME. Go's own monotonic clock is CLOCK_MONOTONIC on Linux, which
// stands still while the machine is suspended: a resumed laptop would believe in a lease
// that was stolen long ago.
func boottime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("CLOCK_BOOTTIME: %v", err)) // there since Linux 2.6.39
	}
	return time.Duration(ts.Nano())
}

// pauses are those between two tries of a request: each step is a quarter longer than the
// one before, which is slow enough to look at a lock again soon after it is free.
func pauses(first, last time.Duration) wait.Backoff {
	return wait.Backoff{First: first, Last: last, Factor: 1.25}
}
