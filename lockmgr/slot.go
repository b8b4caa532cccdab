package lockmgr

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
)

// A key that somebody else asked for is left to him after a release for a turn, unless he was
// seen to take it before: a second where mail told of him, who may have waited for long and
// look once a second. If we had it from him he has not waited longer than we held it, and the
// shorter that was the more often he looks.
const (
	turnShort = 200 * time.Millisecond
	turnLong  = time.Second
)

// A slot is the local gate of one key: within the process at most one acquisition or valid
// lease of a key exists, so that whatever else of ours the table shows for it is a leftover.
// Its fields are guarded by Manager.mu.
type slot struct {
	key   string
	gate  chan struct{} // holds a token while somebody acquires or holds
	users int           // those that hold or wait for the token
	lease *Lease        // whose token it is, once granted
	stuck error         // why the lease's release is not answered, once it failed

	// contested: another session wants the key, or wanted it when we last obtained it. The
	// next local acquisition after a release then lets the other have its turn.
	contested bool
	asked     bool          // mail told of it, and the other neither had the key nor a turn since
	obtained  time.Duration // when the lease was granted
	// released is when the contested key was last let go, 0 if we have not held it since, and
	// turn how long the other has it from then.
	released, turn time.Duration
}

// enter waits for the token of a key's slot until the wait that began at start is over.
func (m *Manager) enter(ctx context.Context, key string, start, wait time.Duration) (*slot, error) {
	m.mu.Lock()
	sl := m.slots[key]
	if sl == nil {
		sl = &slot{key: key, gate: make(chan struct{}, 1)}
		m.slots[key] = sl
	}
	sl.users++
	m.mu.Unlock()

	err := func() error {
		select {
		case sl.gate <- struct{}{}:
			return nil
		default:
		}
		timer := time.NewTimer(max(0, start+wait-m.now()))
		defer timer.Stop()
		select {
		case sl.gate <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-m.closed:
			return ErrClosed
		case <-timer.C:
			return m.occupied(sl, m.now()-start)
		}
	}()
	if err != nil {
		m.mu.Lock()
		m.leave(sl)
		m.mu.Unlock()
		return nil, err
	}
	return sl, nil
}

// occupied says why the token was not to be had: it is held here, or the table does not know
// yet that it is free.
func (m *Manager) occupied(sl *slot, waited time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if sl.stuck != nil {
		return fmt.Errorf("its last release is not answered: %w", sl.stuck)
	}
	return &HeldError{Key: sl.key, Host: m.o.Host, User: m.o.User, PID: m.o.PID, Waited: waited}
}

// leave forgets one user of a slot. Manager.mu is held.
func (m *Manager) leave(sl *slot) {
	sl.users--
	m.forget(sl)
}

// forget drops a slot that says nothing any more. Manager.mu is held.
func (m *Manager) forget(sl *slot) {
	if sl.users > 0 || m.slots[sl.key] != sl {
		return
	}
	if sl.contested && sl.released > 0 && m.now() < sl.released+sl.turn {
		return
	}
	delete(m.slots, sl.key)
}

// vacate gives a slot's token back. Manager.mu is held.
func (m *Manager) vacate(sl *slot) {
	if sl.contested {
		sl.released, sl.turn = m.now(), turnLong
		if sl.lease != nil && !sl.asked {
			sl.turn = max(turnShort, min(turnLong, m.now()-sl.obtained))
		}
		sl.asked = false
	}
	sl.lease, sl.stuck = nil, nil
	<-sl.gate // never blocks: the token is ours
	m.leave(sl)
}

// sweep drops slots that were kept only because their key was contested.
func (m *Manager) sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, sl := range m.slots {
		m.forget(sl)
	}
}

// giveTurn holds an acquisition back where the key was contested when we let it go: until
// another session was seen to have it, or its turn is over. Without this a host that opens
// and closes in a loop would win every time, since it alone knows when the lock is free.
func (m *Manager) giveTurn(ctx context.Context, sl *slot, limit time.Duration) {
	m.mu.Lock()
	until := sl.released + min(sl.turn, limit/2)
	hold := sl.contested && sl.released > 0
	m.mu.Unlock()
	if !hold {
		return
	}
	// Close together: a short use by the other that goes unseen leaves both hosts giving
	// each other the turn.
	poll := pauses(10*time.Millisecond, 25*time.Millisecond)
	for m.now() < until {
		var l Lock
		err := m.attempt(ctx, func(ctx context.Context) (err error) {
			l, err = m.table.GetLock(ctx, m.name(sl.key))
			return err
		})
		if err != nil {
			return // the acquisition will say why
		}
		if l.Nonce != "" && !m.isOwn(l.SID) {
			m.contest(sl)
			return
		}
		if !wait.For(ctx, min(poll.Next(), max(0, until-m.now())), m.closed) {
			return
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	// A short wait does not use the turn up, and a wish that came meanwhile is for another one.
	if sl.released > 0 && m.now() >= sl.released+sl.turn {
		sl.contested = false
	}
}

// contest remembers that somebody else wants, or had, the key of a slot.
func (m *Manager) contest(sl *slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sl.contested, sl.asked, sl.released = true, false, 0
}

func (m *Manager) isOwn(sid string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.own[sid]
}

// jittered returns between half and one and a half of d.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }
