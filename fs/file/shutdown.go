package file

import (
	"context"
	"sort"
)

// A Left is a file that is not in the bucket and stays in the spool.
type Left struct {
	Key    string
	Bytes  int64 // in the spool
	Reason string
	// Unanswered: a request for the key may still land, so its lease must not be given to
	// anybody yet.
	Unanswered bool
}

// Shutdown ends the table: no new opens; what close or fsync asked to save is committed
// until ctx ends. It returns what is left in the spool. What a program has open and did
// not save stays there, and becomes a .recovered- file at the next mount. Leases are
// released, but for keys whose outcome is unknown. A second Shutdown is ErrClosed.
func (t *Table) Shutdown(ctx context.Context) ([]Left, error) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, ErrClosed
	}
	t.closed = true
	t.mu.Unlock()
	err := t.work.wait(ctx)
	t.stop()
	// What still runs ends with its context, whose outcome it notes.
	for _, rest := range []*tasks{&t.work, &t.watchers} {
		_ = rest.wait(context.WithoutCancel(ctx))
	}
	left := t.left()
	if len(left) == 0 {
		err = nil
	}
	t.leases.close()
	return left, err
}

// left lists what stays in the spool. From then on nothing more is accepted: whoever looks
// for it later looks only at what is in the list.
func (t *Table) left() []Left {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := append(append([]Left(nil), t.parked...), t.lost...)
	for key, f := range t.files {
		f.mu.Lock()
		switch {
		case f.state.pending() && f.local != nil:
			l := Left{Key: key, Bytes: f.local.Local(), Reason: "open and not saved", Unanswered: f.unanswered}
			if f.unanswered {
				l.Reason = "the outcome of saving it is unknown"
			} else if f.writers == 0 {
				l.Reason = "could not be saved in time"
			}
			left = append(left, l)
		}
		f.over = true
		if f.hold != nil && !f.unanswered {
			f.hold.release(0)
		}
		f.mu.Unlock()
	}
	sort.Slice(left, func(i, j int) bool { return left[i].Key < left[j].Key })
	return left
}
