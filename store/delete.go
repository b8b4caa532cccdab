package store

import (
	"context"
	"errors"
	"fmt"
)

// Delete removes what is under the key, if that is still the base; on a versioned bucket by
// a delete marker, so that its versions stay. unanswered, if not nil, is called once when an
// attempt's outcome has become unknown.
//
// It fails with ErrNotFound if nothing was there, ErrConflict if somebody else's version
// is, and otherwise as Put does. A delete marker carries no write id: if an answer was lost
// and then nothing is there, that is success, whoever did it.
func (c *Client) Delete(ctx context.Context, p Permit, key string, base Base, unanswered func(error)) error {
	if base.Absent() {
		return fmt.Errorf("Delete %q: %w", key, ErrNotFound)
	}
	m := &mutation{c: c, op: "Delete", key: key, permit: p, needs: true, unanswered: unanswered}
	m.look = func(ctx context.Context, _ bool) (found, error) { return m.lookDeleted(ctx, base) }
	a := attempt{op: "Delete", key: key, permit: p, limit: c.timing.Load().Stall}
	_, err := m.run(ctx, func(ctx context.Context) (Info, error) {
		return try(ctx, c, a, func(ctx context.Context, _ func()) (Info, error) {
			return Info{}, c.api.Delete(ctx, DeleteRequest{Key: key, IfMatch: base.ETag})
		})
	})
	return err
}

// lookDeleted finds what has become of a delete.
func (m *mutation) lookDeleted(ctx context.Context, base Base) (found, error) {
	current, err := m.c.head(ctx, m.key, "", 0)
	switch {
	case errors.Is(err, ErrNotFound) && m.unknown:
		return found{outcome: Landed}, nil
	case errors.Is(err, ErrNotFound):
		return found{outcome: Changed, reason: ErrNotFound}, nil
	case err != nil:
		return found{}, err
	case current.Base().Same(base):
		return found{outcome: Unchanged}, nil
	}
	return found{outcome: Changed, reason: ErrConflict}, nil
}
