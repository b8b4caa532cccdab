package lockmgr

import (
	"context"
	"sync"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
)

// looksAtOnce bounds the sessions that a Vigil looks at at the same time.
const looksAtOnce = 16

// A Vigil finds sessions that say alive and are as good as dead: nobody beats them. It is for those
// who clean up, and judges as whoever wants a lock of theirs does (LOCKS P2). It is for one goroutine.
type Vigil struct {
	table   Table
	times   Timing
	now     func() time.Duration
	windows map[string]*window // by session id
}

// NewVigil begins a vigil over a table with these times. now reads the clock that it goes by; nil is
// CLOCK_BOOTTIME.
func NewVigil(t Table, times Timing, now func() time.Duration) *Vigil {
	if now == nil {
		now = boottime
	}
	return &Vigil{table: t, times: times, now: now, windows: map[string]*window{}}
}

// Silent watches sessions and gives those whose counter has stood still since they were read, and for
// a whole lease, with no read that failed and no gap over two beats in between. That takes a beat if all of
// them live, and a lease if one does not. Those that it had seen silent before it only looks at again,
// unless that was more than two beats ago. Unknown are those of which it cannot tell after two leases,
// and all that are left when ctx ends.
func (v *Vigil) Silent(ctx context.Context, sessions []Session) (silent, unknown []Session) {
	ctx, cancel := context.WithTimeout(ctx, 2*v.times.Lease)
	defer cancel()
	for unknown = sessions; len(unknown) > 0; {
		unknown, silent = v.round(ctx, unknown, silent)
		if len(unknown) > 0 && !wait.For(ctx, v.times.Beat/2, nil) {
			break
		}
	}
	return silent, unknown
}

// round looks at each session once. Those that are neither known to live nor silent for long enough are left.
func (v *Vigil) round(ctx context.Context, sessions, silent []Session) (left, _ []Session) {
	type look struct {
		s   Session
		at  time.Duration
		err error
	}
	looks := make([]look, len(sessions))
	places := make(chan struct{}, looksAtOnce)
	var all sync.WaitGroup
	for i := range sessions {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			l := &looks[i]
			ctx, cancel := context.WithTimeout(ctx, v.times.attempt())
			defer cancel()
			l.s, l.err = v.table.GetSession(ctx, sessions[i].SID)
			l.at = v.now()
		})
	}
	all.Wait()
	for i, was := range sessions {
		w := v.windows[was.SID]
		if w == nil {
			w = &window{}
			v.windows[was.SID] = w
		}
		switch l := looks[i]; {
		case l.err != nil:
			w.restart()
			left = append(left, was)
		case l.s.State != Alive || l.s.Beat != was.Beat:
			delete(v.windows, was.SID) // it lives, or has ended
		case w.observe(l.s.Beat, l.at, v.times.Beat) >= v.times.Lease:
			silent = append(silent, l.s)
		default:
			left = append(left, was)
		}
	}
	return left, silent
}
