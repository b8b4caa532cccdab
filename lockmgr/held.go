package lockmgr

import (
	"context"
	"fmt"
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
