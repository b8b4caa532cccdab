package lockmgr

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
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

// sleep waits for d, or until ctx or stop ends; it tells whether d passed.
func sleep(ctx context.Context, stop <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	case <-stop:
		return false
	}
}

// A backoff yields growing, jittered pauses.
type backoff struct {
	next, limit time.Duration
}

// pause returns between half and all of the present step and makes the step grow by a quarter.
func (b *backoff) pause() time.Duration {
	d := min(b.next, b.limit)
	b.next = min(b.limit, d+d/4)
	return d/2 + rand.N(d/2+1)
}
