package lockmgr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
)

// A session is one life of this mount in the lock table. All leases of the mount are as
// valid as its last good heartbeat.
type session struct {
	sid   string
	lost  chan struct{} // closed when the session is known to be dead
	halt  chan struct{} // closed to end the heartbeat
	ended chan struct{} // closed when no heartbeat is under way any more
	ask   chan struct{} // wakes keepBound

	// mu is a leaf.
	mu         sync.Mutex
	validUntil time.Duration // by the last heartbeat
	boundUntil time.Duration // by the last answer of Bound, or its silence
	silent     error         // why the last heartbeat was not answered well; nil if it was
	renewed    chan struct{} // closed and replaced when validUntil moved
	halted     bool
}

// check returns nil while the session is proved alive.
func (s *session) check(now time.Duration) error {
	select {
	case <-s.lost:
		return ErrLost
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case now < min(s.validUntil, s.boundUntil):
		return nil
	case errors.Is(s.silent, ErrNoCredentials):
		return fmt.Errorf("%w: %w", ErrExpired, s.silent)
	}
	return ErrExpired
}

// fail records a heartbeat that was not answered well.
func (s *session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = err
}

// extend records a heartbeat that was sent at a time and answered.
func (s *session) extend(until time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = nil
	if until <= s.validUntil {
		return
	}
	s.validUntil = until
	s.tell()
}

// tell wakes who waits for the session to be valid. s.mu is held.
func (s *session) tell() {
	close(s.renewed)
	s.renewed = make(chan struct{})
}

func (s *session) renewal() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewed
}

// stop ends the heartbeat and waits until none is under way.
func (s *session) stop() {
	s.quit()
	<-s.ended
}

// quit ends the heartbeat and does not wait.
func (s *session) quit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.halted {
		s.halted = true
		close(s.halt)
	}
}

// A pendingSession was announced, and perhaps written, but its creation is not answered. The
// next try uses the same id, so that no lost reply leaves a session in the table.
type pendingSession struct {
	sid   string
	since time.Duration // when its first attempt was sent; its lease runs from there
}

// A start is one attempt to make a session, shared by everybody who waits for one.
type start struct {
	done chan struct{}
	s    *session
	err  error
}

// session returns the present session, making one if there is none. It sends at most one
// attempt; after ErrUnavailable the caller may come again.
func (m *Manager) session(ctx context.Context) (*session, error) {
	m.mu.Lock()
	if s := m.current; s != nil {
		m.mu.Unlock()
		return s, nil
	}
	st := m.starting
	if st == nil {
		st = &start{done: make(chan struct{})}
		// Not under ctx: others may wait for the same session.
		if !m.spawn(func() { m.startSession(st) }) {
			m.mu.Unlock()
			return nil, ErrClosed
		}
		m.starting = st
	}
	m.mu.Unlock()
	select {
	case <-st.done:
		return st.s, st.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *Manager) startSession(st *start) {
	defer close(st.done)
	s, since, err := m.makeSession()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starting = nil
	m.unbound = errors.Is(err, ErrUnbound)
	switch {
	case errors.Is(err, ErrSessionDead): // ended before its creation was answered
		m.pending = pendingSession{}
		st.err = fmt.Errorf("make lock session: %w: %w", ErrUnavailable, err)
		return
	case m.unbound:
		m.pending = pendingSession{}
		fallthrough
	case err != nil:
		st.err = fmt.Errorf("make lock session: %w", err)
		return
	}
	m.pending = pendingSession{}
	if !m.spawn(func() { m.keepAlive(s, since) }) {
		st.err = ErrClosed
		return
	}
	if m.o.Bound != nil {
		m.spawn(func() { m.keepBound(s) })
	}
	m.current, st.s = s, s
}

// makeSession writes a session, and asks then whether this is the table for it.
func (m *Manager) makeSession() (s *session, since time.Duration, err error) {
	m.mu.Lock()
	unbound := m.unbound
	m.mu.Unlock()
	if unbound { // it may still be, and each session leaves a record
		if _, err := m.askBound(true); err != nil {
			return nil, 0, err
		}
	}
	sid, since, err := m.announce()
	if err != nil {
		return nil, 0, err
	}
	err = m.attempt(m.life, func(ctx context.Context) error {
		return m.table.PutSession(ctx, Session{SID: sid, State: Alive, Host: m.o.Host, User: m.o.User,
			PID: m.o.PID, Version: m.o.Version})
	})
	if err != nil {
		return nil, 0, fmt.Errorf("lock session %s: %w", sid, err)
	}
	until, err := m.askBound(true)
	if errors.Is(err, ErrUnbound) {
		// Nothing was done under it. Whoever rebinds need not wait for its death; if this fails, he does.
		_ = m.attempt(m.life, func(ctx context.Context) error { return m.table.CloseSession(ctx, sid) })
	}
	if err != nil {
		return nil, 0, err
	}
	return &session{sid: sid, lost: make(chan struct{}), halt: make(chan struct{}), ended: make(chan struct{}), ask: make(chan struct{}, 1),
		renewed: make(chan struct{}), validUntil: since + m.cfg.term(), boundUntil: until}, since, nil
}

// announce fixes the id of the session to make, and tells OnSession before it exists.
func (m *Manager) announce() (sid string, since time.Duration, err error) {
	m.mu.Lock()
	p, n := m.pending, len(m.sids)+1
	m.mu.Unlock()
	if p.sid != "" {
		return p.sid, p.since, nil
	}
	p = pendingSession{sid: fmt.Sprintf("%s.%d", m.o.Name, n), since: m.now()}
	if m.o.OnSession != nil {
		if err := m.o.OnSession(p.sid); err != nil {
			return "", 0, fmt.Errorf("record session %s: %w", p.sid, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = p
	m.sids = append(m.sids, p.sid)
	m.own[p.sid] = true
	return p.sid, p.since, nil
}

// keepAlive sends the session's heartbeats. A beat that fails for any reason but the session's
// death is tried again for ever: when the table comes back the session is alive, unless
// somebody has killed it.
func (m *Manager) keepAlive(s *session, sent time.Duration) {
	defer close(s.ended)
	var retry wait.Backoff // zero: the last beat was answered
	pause := sent + m.cfg.Beat - m.now()
	for wait.For(m.life, pause, s.halt) {
		sent := m.now()
		ctx, cancel := context.WithTimeout(m.life, m.cfg.beatAttempt())
		mail, err := m.table.Beat(ctx, s.sid)
		cancel()
		switch {
		case err == nil:
			s.extend(sent + m.cfg.term())
			s.askSoon(m.now())
			m.deliver(mail)
			retry = wait.Backoff{}
			pause = sent + m.cfg.Beat - m.now()
		case errors.Is(err, ErrSessionDead):
			m.lose(s, err)
			return
		default:
			s.fail(err)
			if retry.Last == 0 {
				m.log.Warn("lock heartbeat failed; retrying", "session", s.sid, "err", err)
				retry = pauses(min(100*time.Millisecond, m.cfg.Beat/2), m.cfg.Beat/2)
			}
			pause = retry.Next()
		}
	}
}

// lose ends a session that others declared dead, or whose table is not the one any more: its leases are
// void, and their keys may be acquired anew, under a new session.
func (m *Manager) lose(s *session, cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-s.lost:
		return
	default:
	}
	m.log.Warn("lock session lost", "session", s.sid, "err", cause)
	if m.current == s {
		m.current = nil
	}
	close(s.lost)
	for _, sl := range m.slots {
		if sl.lease != nil && sl.lease.s == s {
			m.vacate(sl)
		}
	}
}
