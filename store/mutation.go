package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
)

// A mutation is one conditional change of a key. It may take several attempts, of which at
// most one can land at any time: that is the rule on which "no lost update" rests, since
// an ETag can come back and let a late duplicate through (LOCKS P4).
//
// The fate of an attempt decides what follows:
//
//	answered            done
//	412, 404            look: ours by a middle box that resent it (perhaps superseded), else a conflict
//	409                 look: ours, else again if the base is unchanged, else a conflict
//	refused otherwise   the error
//	unsent              again after a pause, while ctx and permit last
//	unknown             look at once: ours? (Of a delete that cannot be told: wait the quiet
//	                    time.) Else wait the quiet time and look again: ours (perhaps
//	                    superseded), else again if the base is unchanged, else a conflict
//
// A permit that is not valid ends it before any attempt; it never ends a look.
type mutation struct {
	c       *Client
	op, key string
	permit  Permit
	// look finds what has become of it; with history in the older versions too.
	look func(ctx context.Context, history bool) (found, error)
	// needs: the request names a version that has to be there, so that 404 is about it.
	needs      bool
	unanswered func(error)
	gone       func() // of a delete: nothing is there any more, but an attempt may still land

	// late is how much later than the quiet time an attempt that was given up may land, because
	// of its size.
	late    time.Duration
	unknown bool      // an attempt has ended without an answer
	closed  time.Time // when the last such attempt's connection was closed
}

// mutation gives that of a write.
func (c *Client) mutation(op string, p Permit, w Write) *mutation {
	return &mutation{
		c: c, op: op, key: w.Key, permit: p, unanswered: w.Unanswered, needs: !w.Base.Absent(),
		look: func(ctx context.Context, history bool) (found, error) {
			return c.look(ctx, w.Key, w.ID, w.Base, 0, history)
		},
	}
}

// condition is the precondition that a base makes.
func condition(b Base) Condition {
	if b.Absent() {
		return Condition{IfNone: true}
	}
	return Condition{IfMatch: b.ETag}
}

// run makes attempts until the outcome is certain.
func (m *mutation) run(ctx context.Context, once func(context.Context) (Info, error)) (Info, error) {
	pause := pauses()
	for {
		info, err := once(ctx)
		if err == nil {
			return info, nil
		}
		var f found
		var lerr error
		fate, busy := fateOf(err), errors.Is(err, ErrBusy)
		switch {
		case fate == Unknown:
			m.lost(err)
			f, lerr = m.settle(ctx)
		case fate == Unsent && errors.Is(err, ErrNotPermitted):
			return Info{}, err
		case fate == Unsent:
			if !pause.Wait(ctx, nil) {
				return Info{}, unavailable(ctx, err)
			}
			continue
		case m.disputed(err):
			// Ours may have been replaced since, too.
			f, lerr = m.find(ctx)
		default:
			return Info{}, err
		}
		switch {
		case lerr != nil:
			return Info{}, m.unsettled(ctx, lerr)
		case f.outcome == Landed:
			return f.info, nil
		case f.outcome == Changed:
			return Info{}, m.conflict(f.reason, err)
		case fate == Unknown:
			continue // nothing of it can land any more
		case !busy:
			return Info{}, m.conflict(ErrConflict, err)
		case !pause.Wait(ctx, nil):
			return Info{}, unavailable(ctx, err)
		}
	}
}

// disputed tells the refusals that are about what is under a name.
func (m *mutation) disputed(err error) bool {
	if _, ok := errors.AsType[*bodyError](err); ok {
		return false // about what the body is made of
	}
	return errors.Is(err, ErrPrecondition) || errors.Is(err, ErrBusy) || m.needs && errors.Is(err, ErrNotFound)
}

// lost notes that an attempt has just ended without an answer.
func (m *mutation) lost(err error) {
	m.closed = time.Now()
	if !m.unknown && m.unanswered != nil {
		m.unanswered(err)
	}
	m.unknown = true
}

// settle finds what has become of the attempt that was lost: at once if it is there, else
// after the quiet time, when it cannot land any more.
func (m *mutation) settle(ctx context.Context) (found, error) {
	// An error of the first look says nothing; the second one counts.
	f, err := m.look(ctx, false)
	switch landed := err == nil && f.outcome == Landed; {
	case landed && f.anybody:
		if m.gone != nil {
			m.gone()
		}
		return f, m.quiet(ctx)
	case landed:
		return f, nil
	}
	if err := m.quiet(ctx); err != nil {
		return found{}, err
	}
	return m.find(ctx)
}

// find looks, in the history too, until that is answered or ctx ends. A look that is refused
// says nothing of the mutation: whoever gave up then could neither send nor drop it.
func (m *mutation) find(ctx context.Context) (found, error) {
	pause := pauses()
	for {
		f, err := m.look(ctx, true)
		if err == nil || !pause.Wait(ctx, nil) {
			return f, err
		}
	}
}

// quiet waits until the last lost attempt cannot land any more.
func (m *mutation) quiet(ctx context.Context) error {
	if !wait.For(ctx, time.Until(m.closed.Add(m.c.timing.Load().Quiet+m.late)), nil) {
		return context.Cause(ctx)
	}
	return nil
}

// conflict is the error of a mutation that somebody else's made impossible.
func (m *mutation) conflict(reason, last error) error {
	return fmt.Errorf("%s %q: %w (%v)", m.op, m.key, reason, last)
}

// unsettled is the error of a mutation whose outcome was not found before ctx ended. Why the
// last look failed is not wrapped: a caller that asks for it would think that nothing landed.
func (m *mutation) unsettled(ctx context.Context, last error) error {
	return fmt.Errorf("%s %q: %w: %w (%v)", m.op, m.key, ErrUnknownOutcome, context.Cause(ctx), last)
}
