package lockmgr

import (
	"context"
	"strings"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
)

// A watch observes the session of somebody else whose lock is wanted here. All waiters for
// one session share it. It goes on without them until the session was seen to beat, so that
// a row of short tries (create waits a second) finds a death as one long wait does.
type watch struct {
	sid   string
	known chan struct{} // closed when state was answered once

	// Guarded by Manager.mu.
	users   int
	running bool
	seen    bool // known is closed
	state   State
	since   time.Duration // when this process first knew the state
	user    string        // of its record, for people, like pid
	pid     int
	// unanswered is set by Takeover: it knows from the journal which keys of the dead
	// session may still have a request under way.
	unanswered func(key string) bool
}

// A window is the stretch over which a session's counter was seen not to move.
type window struct {
	open        bool
	beat        int64
	start, last time.Duration
}

// observe takes an answered read and returns how long the counter has stood still. A gap of
// more than two beats (a suspended watcher, a table that was away) starts anew: the
// holder may have been kept from beating by the same cause.
func (w *window) observe(beat int64, now, h time.Duration) time.Duration {
	if !w.open || w.beat != beat || now-w.last > 2*h {
		*w = window{open: true, beat: beat, start: now}
	}
	w.last = now
	return now - w.start
}

// restart forgets the window, after a read that failed.
func (w *window) restart() { w.open = false }

// watch returns the watch of a session, starting it if need be. unwatch ends the use.
func (m *Manager) watch(sid string) *watch {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watchOf(sid)
	w.users++
	if !w.running && w.state != Dead && w.state != Missing || !w.seen && !w.running {
		w.running = m.spawn(func() { m.observe(w) })
	}
	return w
}

// watchOf finds or makes a watch. Manager.mu is held.
func (m *Manager) watchOf(sid string) *watch {
	w := m.watches[sid]
	if w == nil {
		w = &watch{sid: sid, known: make(chan struct{})}
		m.watches[sid] = w
	}
	return w
}

func (m *Manager) unwatch(w *watch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.users--
	m.drop(w)
}

// drop forgets a watch that nobody needs. A death is remembered: the delay counts from
// when this process first saw it. Manager.mu is held.
func (m *Manager) drop(w *watch) {
	if w.users == 0 && !w.running && w.state != Dead && w.state != Missing {
		delete(m.watches, w.sid)
	}
}

// free tells whether the watched session's lock of key may be taken now.
func (m *Manager) free(w *watch, key string) bool {
	m.mu.Lock()
	state, since, unanswered := w.state, w.since, w.unanswered
	m.mu.Unlock()
	now := m.now()
	switch state {
	case Closed, Expired:
		return true
	case Dead:
		return unanswered != nil && !unanswered(key) || now >= since+m.cfg.Delay
	case Missing:
		// Its holder may have had a good heartbeat just before the record went.
		return now >= since+m.cfg.Lease+m.cfg.Delay
	}
	return false
}

// learn records an answered look at the session. It tells whether to go on looking.
func (m *Manager) learn(w *watch, s Session, now time.Duration, moved bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := s.State
	if state != Missing {
		w.user, w.pid = s.User, s.PID
	}
	if !w.seen || w.state != state {
		w.state, w.since = state, now
	}
	if !w.seen {
		w.seen = true
		close(w.known)
	}
	if state == Alive && !(moved && w.users == 0) {
		return true
	}
	w.running = false
	m.drop(w)
	return false
}

// observe reads the session until its fate is known or nobody waits for one that lives.
func (m *Manager) observe(w *watch) {
	var win window
	for {
		s, proved, err := m.look(w.sid, &win)
		if err != nil {
			win.restart()
		} else {
			now := m.now()
			moved := win.open && s.Beat != win.beat
			if s.State == Alive {
				if still := win.observe(s.Beat, now, m.cfg.Beat); proved || still >= m.cfg.Lease {
					s = m.kill(s, proved, &win)
				}
			}
			if !m.learn(w, s, m.now(), moved) {
				return
			}
		}
		if !wait.For(m.life, jittered(m.cfg.Beat/3), nil) {
			return
		}
	}
}

// look reads the session once. proved: its process is on this host and known to be dead.
func (m *Manager) look(sid string, win *window) (s Session, proved bool, err error) {
	name := sid
	if i := strings.LastIndexByte(sid, '.'); i >= 0 {
		name = sid[:i]
	}
	proved = m.o.LocalDead != nil && m.o.LocalDead(name)
	err = m.attempt(m.life, func(ctx context.Context) (err error) {
		s, err = m.table.GetSession(ctx, sid)
		return err
	})
	return s, proved, err
}

// kill declares the session dead, provided that its counter has not moved since. It returns
// the session as it is then.
func (m *Manager) kill(seen Session, proved bool, win *window) Session {
	s := seen
	err := m.attempt(m.life, func(ctx context.Context) (err error) {
		s, err = m.table.KillSession(ctx, seen)
		return err
	})
	if err != nil {
		// Whatever kept this request may keep the holder's heartbeats.
		win.restart()
		return seen
	}
	if s.State == Dead {
		m.log.Warn("lock session declared dead", "session", s.SID, "host", s.Host, "proved", proved)
	} else {
		win.restart()
	}
	return s
}
