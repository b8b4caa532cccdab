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
	t.said.Tell()
	left := t.left()
	if len(left) == 0 {
		err = nil
	}
	t.leases.Close()
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
		if l := f.core.live(); l != nil {
			head := f.core.content.head()
			unanswered := head != nil && head.unanswered
			if f.core.pending() && f.local != nil {
				x := Left{Key: key, Bytes: f.local.Local(), Reason: "open and not saved", Unanswered: unanswered}
				switch {
				case unanswered:
					x.Reason = "the outcome of saving it is unknown"
				case head != nil, f.core.writers == 0:
					x.Reason = "could not be saved in time"
				}
				left = append(left, x)
			}
			l.ended = true
			if !unanswered {
				l.hold.Release(0)
			}
		}
		f.unlock()
	}
	sort.Slice(left, func(i, j int) bool { return left[i].Key < left[j].Key })
	return left
}
