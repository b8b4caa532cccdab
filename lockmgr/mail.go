package lockmgr

import (
	"context"
	"log/slog"
	"strings"

	"github.com/latchfs/latchfs/internal/seldom"
)

// deliver passes on the wishes of other hosts that came with a heartbeat.
func (m *Manager) deliver(names []string) {
	for _, name := range names {
		key, ok := strings.CutPrefix(name, m.o.BucketID+"\x00")
		if !ok {
			continue // of another bucket: not from us, and not for us
		}
		for !m.wish(key) {
			if sl, err := m.enter(m.life, key, m.now(), 0); err == nil {
				m.cleanOrphan(sl)
				break
			} // somebody else was first
		}
	}
	m.sweep()
}

// wish notes that another host wants a key; false if nobody here uses it.
func (m *Manager) wish(key string) bool {
	m.mu.Lock()
	sl := m.slots[key]
	if sl == nil || sl.users == 0 {
		m.mu.Unlock()
		return false
	}
	sl.contested, sl.asked, sl.released = true, true, 0
	l := sl.lease
	m.mu.Unlock()
	if l != nil {
		l.want()
	}
	return true
}

// cleanOrphan removes a lock of ours that nothing here holds or acquires: what an attempt
// left that was given up and landed later. It has the key's slot meanwhile, and removes by
// the nonce it saw, so that it cannot hit a lease obtained since.
func (m *Manager) cleanOrphan(sl *slot) {
	vacate := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.vacate(sl)
	}
	if m.begin() != nil {
		vacate()
		return
	}
	m.inBackground(func() {
		defer m.done()
		defer vacate()
		var l Lock
		err := m.attempt(m.life, func(ctx context.Context) (err error) {
			l, err = m.table.GetLock(ctx, m.name(sl.key))
			return err
		})
		if err != nil {
			return // who wants the key will ask again
		}
		if l.Nonce == "" {
			m.contest(sl) // just released: the wish is as good as one that came before
		}
		if !m.isOwn(l.SID) {
			return
		}
		m.said.Say(m.said.Named(seldom.Kind{Op: "orphan"}, sl.key), slog.LevelInfo, "removing an orphaned lock", sl.key)
		_ = m.attempt(m.life, func(ctx context.Context) error {
			return m.table.ReleaseLock(ctx, l.Name, l.Nonce)
		})
	})
}
