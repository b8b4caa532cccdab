package lockmgr

import (
	"context"
	"fmt"
	"time"
)

// Held tells whether anybody has the lock of a key at this moment, a session of this process and
// one of a dead host included. It takes nothing and asks nobody to let go. Errors are
// ErrUnavailable, ErrAccessDenied, ErrNoTable, ErrClosed and those of ctx.
func (m *Manager) Held(ctx context.Context, key string) (held bool, err error) {
	if err := m.begin(); err != nil {
		return false, err
	}
	defer m.done()
	var l Lock
	err = m.attempt(ctx, func(ctx context.Context) error {
		l, err = m.table.GetLock(ctx, m.name(key))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("looking at the lock of %q: %w", key, err)
	}
	return l.Nonce != "", nil
}

// A Holder is who holds a lock, for people. The zero Holder is nobody.
type Holder struct {
	Host, User string
	PID        int       // of the mount; 0: not known
	Since      time.Time // the holder's clock; zero: not known
	Own        bool      // it is this manager, or was
}

// String gives "HOST (USER, pid N) since TIME", as far as it is known.
func (h Holder) String() string {
	if h.Host == "" {
		return "nobody"
	}
	s := h.Host
	if h.PID != 0 {
		s += fmt.Sprintf(" (%s, pid %d)", h.User, h.PID)
	}
	if !h.Since.IsZero() {
		s += " since " + h.Since.UTC().Format(time.RFC3339)
	}
	return s
}

// Holder tells who has the lock of a key at this moment, as Held does. Two requests are sent, and
// the lock may have changed hands when they are answered.
func (m *Manager) Holder(ctx context.Context, key string) (Holder, error) {
	if err := m.begin(); err != nil {
		return Holder{}, err
	}
	defer m.done()
	var l Lock
	var s Session
	err := m.attempt(ctx, func(ctx context.Context) (err error) {
		if l, err = m.table.GetLock(ctx, m.name(key)); err == nil && l.Nonce != "" {
			s, err = m.table.GetSession(ctx, l.SID)
		}
		return err
	})
	switch {
	case err != nil:
		return Holder{}, fmt.Errorf("looking who has the lock of %q: %w", key, err)
	case l.Nonce == "":
		return Holder{}, nil
	}
	return Holder{Host: l.Host, User: s.User, PID: s.PID, Since: l.Since, Own: m.isOwn(l.SID)}, nil
}
