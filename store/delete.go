package store

import (
	"context"
	"errors"
	"fmt"
)

// A Deletion is one conditional removal of a key.
type Deletion struct {
	Key string
	// Base is the precondition: If-Match with its ETag.
	Base Base
	// Unanswered, if set, is called once when an attempt's outcome has become unknown.
	Unanswered func(error)
	// Gone, if set, is called once as soon as nothing is under the key, if a request whose answer
	// was lost may still land then. Whoever waits for the removal may be answered, but the lease
	// has to be kept until Delete returns: the request could hit the same version, if somebody
	// brings that back meanwhile.
	Gone func()
}

// Delete removes what is under the key, if that is still the base; on a versioned bucket by
// a delete marker, so that its versions stay.
//
// It fails with ErrNotFound if nothing was there, ErrConflict if somebody else's version
// is, and otherwise as Put does. A delete marker carries no write id: if an answer was lost
// and then nothing is there, that is success, whoever did it; Delete returns when the quiet
// time is over all the same. If ctx ends before, that is ErrUnknownOutcome, also after Gone.
func (c *Client) Delete(ctx context.Context, p Permit, d Deletion) error {
	if d.Base.Absent() {
		return fmt.Errorf("Delete %q: %w", d.Key, ErrNotFound)
	}
	m := &mutation{c: c, op: "Delete", key: d.Key, permit: p, needs: true, unanswered: d.Unanswered, gone: d.Gone}
	m.look = func(ctx context.Context, _ bool) (found, error) { return m.lookDeleted(ctx, d.Base) }
	a := attempt{op: "Delete", key: d.Key, permit: p, limit: c.timing.Load().Stall}
	looks := c.Flaws().Has(DeleteConditions)
	_, err := m.run(ctx, func(ctx context.Context) (Info, error) {
		if looks {
			if err := m.lookFirst(ctx, d.Base); err != nil {
				return Info{}, err
			}
		}
		return try(ctx, c, a, func(ctx context.Context, _ *watch) (Info, error) {
			return Info{}, c.api.Delete(ctx, DeleteRequest{Key: d.Key, IfMatch: d.Base.ETag})
		})
	})
	return err
}

// RemoveVersion removes a version or a delete marker for good, under a permit; one that is gone is
// fine. Its id is the whole condition: it never names another version, so that the request may be
// sent again at once. "null" is refused, because it names whatever was written last without an id.
//
// It fails with ErrRetained if Object Lock keeps the version and as the server refuses; with
// ErrNotPermitted or ErrUnavailable if nothing can land any more; and, when the permit or ctx has
// ended after an attempt that was not answered, with ErrUnknownOutcome.
func (c *Client) RemoveVersion(ctx context.Context, p Permit, key, version string) error {
	if !(Base{VersionID: version}).Pinned() {
		return fmt.Errorf("DeleteVersion %q: version %q has no id of its own: %w", key, version, ErrRefused)
	}
	a := attempt{op: "DeleteVersion", key: key, permit: p, limit: c.timing.Load().Stall}
	unknown := false
	_, err := repeat(ctx, 0, func(ctx context.Context) (struct{}, error) {
		_, err := try(ctx, c, a, func(ctx context.Context, _ *watch) (struct{}, error) {
			return struct{}{}, c.api.DeleteVersion(ctx, key, version)
		})
		unknown = unknown || err != nil && fateOf(err) == Unknown
		return struct{}{}, err
	})
	if unknown && (errors.Is(err, ErrNotPermitted) || errors.Is(err, ErrUnavailable)) {
		return fmt.Errorf("DeleteVersion %q: %w (%v)", key, ErrUnknownOutcome, err)
	}
	return err
}

// lookFirst is what the condition is to a server that ignores it: it fails as that would unless the
// base is there. What somebody writes in the moment between the look and the attempt, which is sent at
// once, is removed unseen; if the attempt is lost, what he writes before the quiet time is over. Between
// mounts the lease prevents that; of a foreign writer the version is in the history, if there is one.
func (m *mutation) lookFirst(ctx context.Context, base Base) error {
	a := attempt{op: "Head", key: m.key, permit: m.permit, limit: attemptTimeout}
	current, err := try(ctx, m.c, a, func(ctx context.Context, _ *watch) (Info, error) {
		return m.c.api.Head(ctx, HeadRequest{Key: m.key})
	})
	if err == nil && !current.Base().Same(base) {
		return a.failed(Refused, ErrPrecondition)
	}
	return err
}

// lookDeleted finds what has become of a delete.
func (m *mutation) lookDeleted(ctx context.Context, base Base) (found, error) {
	current, err := m.c.head(ctx, m.key, "", 0)
	switch {
	case errors.Is(err, ErrNotFound) && m.unknown:
		return found{outcome: Landed, anybody: true}, nil
	case errors.Is(err, ErrNotFound):
		return found{outcome: Changed, reason: ErrNotFound}, nil
	case err != nil:
		return found{}, err
	case current.Base().Same(base):
		return found{outcome: Unchanged}, nil
	}
	return found{outcome: Changed, reason: ErrConflict}, nil
}
