package lockmgr

import (
	"fmt"
	"time"
)

// Schema is the version of the lock table's records that this program writes. A table of
// a newer schema is refused.
const Schema = 1

// Timing are the times of the protocol. They belong to the table, so that all hosts agree.
type Timing struct {
	// Beat is H, the interval of a session's heartbeat.
	Beat time.Duration
	// Lease is L: a session without a heartbeat for this long may be declared dead.
	Lease time.Duration
	// Delay is D: how long the locks of a dead session stay closed after its death was
	// seen, so that its last requests have died out too.
	Delay time.Duration
}

// Margin is what a holder gives up of its lease for its own slowness: min(5 s, L/4).
func (t Timing) Margin() time.Duration { return min(5*time.Second, t.Lease/4) }

// Stall is T, after which an attempt without progress is ended: min(10 s, D/3). A
// request that was abandoned so is gone within D.
func (t Timing) Stall() time.Duration { return min(10*time.Second, t.Delay/3) }

// Validate refuses times with which the protocol would not be safe or not live, and those that
// a table, which has milliseconds, could not keep.
func (t Timing) Validate() error {
	switch {
	case t.Beat <= 0:
		return fmt.Errorf("the beat of %s must be positive", t.Beat)
	case t.Lease < 4*t.Beat:
		return fmt.Errorf("the lease of %s must be at least four beats of %s", t.Lease, t.Beat)
	case t.Delay < time.Second:
		return fmt.Errorf("the delay of %s must be at least 1s", t.Delay)
	case t.Beat%time.Millisecond != 0 || t.Lease%time.Millisecond != 0 || t.Delay%time.Millisecond != 0:
		return fmt.Errorf("the times (%s) must be whole milliseconds", t)
	}
	return nil
}

func (t Timing) String() string {
	return fmt.Sprintf("beat %s, lease %s, delay %s", t.Beat, t.Lease, t.Delay)
}

// term is how long after it was sent a good heartbeat proves a lease valid.
func (t Timing) term() time.Duration { return t.Lease - t.Margin() }

// beatAttempt is the deadline of one heartbeat: four fit into a lease.
func (t Timing) beatAttempt() time.Duration { return max(t.Beat, t.term()/4) }

// attempt is the deadline of any other single request.
func (t Timing) attempt() time.Duration { return min(5*time.Second, t.beatAttempt()) }

// Config is the table's own record, written once by init.
type Config struct {
	Schema int
	Timing
	// ID is the random id of the table, by which a recreated or copied one is noticed.
	ID string
}

// Agree refuses a wish that differs from what the table has: the times of a table in use
// cannot change under its users.
func (c Config) Agree(wish Config) error {
	if c.Timing != wish.Timing {
		return fmt.Errorf("the table has %s, not %s: %w", c.Timing, wish.Timing, ErrTiming)
	}
	return nil
}

// Check refuses a configuration that this program cannot work with.
func (c Config) Check() error {
	if c.Schema > Schema {
		return fmt.Errorf("the table has schema %d, this program knows %d: %w", c.Schema, Schema, ErrForeignTable)
	}
	if c.Schema < 1 || c.ID == "" {
		return fmt.Errorf("the configuration record is damaged: %w", ErrForeignTable)
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%w: %w", err, ErrForeignTable)
	}
	return nil
}
