package lockmgr

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	// boundPeriod is the time from one question to Bound to the next.
	boundPeriod = 10 * time.Second
	// BoundTerm is how long after a question to Bound was sent a lease can be valid. Whoever writes what
	// Bound reads, and waits so long, knows that every manager which goes on has read it, or was not answered.
	BoundTerm = 30 * time.Second
)

// askBound asks once whether this is the table to lock in, and gives the time until which the answer
// counts. Errors are ErrUnbound, ErrAccessDenied and, where there was no answer, ErrUnavailable.
func (m *Manager) askBound(starting bool) (until time.Duration, err error) {
	if m.o.Bound == nil {
		return math.MaxInt64, nil
	}
	sent := m.now()
	err = m.attempt(m.life, func(ctx context.Context) error { return m.o.Bound(ctx, starting) })
	if err != nil && !errors.Is(err, ErrUnbound) && !errors.Is(err, ErrAccessDenied) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return sent + BoundTerm, err
}

// keepBound asks again and again, as long as the session lives. A question without an answer
// changes nothing: it comes from the bucket, and while that is silent nothing can be changed there. A host that
// was suspended asks before its leases are valid again.
func (m *Manager) keepBound(s *session) {
	timer := time.NewTimer(boundPeriod)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.ask:
		case <-s.lost:
			return
		case <-s.halt:
			return
		case <-m.life.Done():
			return
		}
		until, err := m.askBound(false)
		if errors.Is(err, ErrUnbound) {
			m.mu.Lock()
			m.unbound = true
			m.mu.Unlock()
			m.lose(s, err)
			s.quit()
			return
		}
		s.bind(until)
		select {
		case <-s.ask: // a beat has asked for what was under way
		default:
		}
		timer.Reset(boundPeriod)
	}
}

// bind records until when the last question to Bound counts.
func (s *session) bind(until time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boundUntil = until
	s.tell()
}

// askSoon wakes keepBound if its last question is too old: timers stand still while the host is
// suspended.
func (s *session) askSoon(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now >= s.boundUntil-BoundTerm+boundPeriod {
		select {
		case s.ask <- struct{}{}:
		default:
		}
	}
}
