package lockmgr

import (
	"context"
	"fmt"
)

// Takeover is for recovery, which has the flock of a dead mount's session directory and with it
// the proof that its sessions are dead: it writes that, and from then on this manager takes
// their locks without further waiting, except where unanswered tells that a request for the key
// may still be under way: there it waits until a Delay after this call.
func (m *Manager) Takeover(ctx context.Context, sids []string, unanswered func(key string) bool) error {
	if err := m.begin(); err != nil {
		return err
	}
	defer m.done()
	since := m.now()
	for _, sid := range sids {
		state, err := m.declareDead(ctx, sid)
		if err != nil {
			return fmt.Errorf("take over lock session %s: %w", sid, err)
		}
		m.mu.Lock()
		w := m.watchOf(sid)
		w.unanswered = unanswered
		if state == Missing {
			state = Dead // proved, whatever became of the record
		}
		if !w.seen || w.state != state {
			w.state, w.since = state, since
		}
		if !w.seen {
			w.seen = true
			close(w.known)
		}
		m.mu.Unlock()
	}
	return nil
}

// declareDead writes state dead over alive. A heartbeat that was still on its way may move
// the counter once; then the next try has it.
func (m *Manager) declareDead(ctx context.Context, sid string) (State, error) {
	var s Session
	for {
		err := m.insist(ctx, func(ctx context.Context) (err error) {
			s, err = m.table.GetSession(ctx, sid)
			if err == nil && s.State == Alive {
				s, err = m.table.KillSession(ctx, s)
			}
			return err
		})
		if err != nil || s.State != Alive {
			return s.State, err
		}
	}
}

// Bury writes that the sessions are closed, when recovery is through with all they left: from
// then on everybody may take their locks at once.
func (m *Manager) Bury(ctx context.Context, sids []string) error {
	if err := m.begin(); err != nil {
		return err
	}
	defer m.done()
	for _, sid := range sids {
		if err := m.insist(ctx, func(ctx context.Context) error { return m.table.CloseSession(ctx, sid) }); err != nil {
			return fmt.Errorf("bury lock session %s: %w", sid, err)
		}
	}
	return nil
}
