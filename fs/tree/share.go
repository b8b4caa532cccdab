package tree

import (
	"context"
	"strings"
	"time"
)

// A recorder collects, while requests are under way, the notes that their answers may not
// know of yet.
type recorder struct {
	scope string // a prefix of the keys that matter
	notes []note // in their order
}

// newRecorder begins to collect the notes of keys that begin with the scope. Tree.mu is held.
func (t *Tree) newRecorder(scope string) *recorder {
	r := &recorder{scope: scope}
	t.recorders[r] = struct{}{}
	return r
}

// record gives a note to the requests under way that it concerns. Tree.mu is held.
func (t *Tree) record(n note) {
	for r := range t.recorders {
		if strings.HasPrefix(n.key, r.scope) {
			r.notes = append(r.notes, n)
		}
	}
}

// forgotten tells whether an answer may be from before a Forget, and so is not to be
// remembered.
func forgotten(notes []note) bool {
	for _, n := range notes {
		if n.forget {
			return true
		}
	}
	return false
}

// A flight is one answer that several callers wait for. Guarded by Tree.mu, except that v
// and err are constant once done is closed.
type flight[T any] struct {
	oldest  time.Time // when the oldest request that it rests on was sent
	waiters int
	cancel  context.CancelFunc
	done    chan struct{}
	v       T
	err     error
}

// A plan is the work of a flight.
type plan[T any] struct {
	// oldest is when the oldest request was sent of which the answer is known already.
	oldest time.Time
	// fetch sends requests. answer, which it returns, runs with Tree.mu held and makes the
	// answer of theirs and of the notes taken since the plan was made.
	fetch func(context.Context) (answer func(notes []note) T, err error)
}

// share returns the answer of a plan, joining the flight of an earlier caller for the same key
// if that one rests on nothing older than an answer may be. begin makes the plan, with Tree.mu
// held. The keys that matter begin with the flight's. A caller that gives up does not end the
// flight of the others; the last one does.
func share[T any](ctx context.Context, t *Tree, flights map[string]*flight[T], key string, begin func() plan[T]) (T, error) {
	t.mu.Lock()
	f := flights[key]
	if f == nil || !t.fresh(f.oldest) {
		p := begin()
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight[T]{oldest: p.oldest, cancel: cancel, done: make(chan struct{})}
		flights[key] = f
		r := t.newRecorder(key)
		go func() {
			defer close(f.done)
			defer cancel()
			answer, err := p.fetch(own)
			t.mu.Lock()
			defer t.mu.Unlock()
			delete(t.recorders, r)
			land(flights, key, f)
			if f.err = err; err == nil {
				f.v = answer(r.notes)
			}
		}()
	}
	f.waiters++
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.v, f.err
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		if f.waiters--; f.waiters == 0 {
			f.cancel()
			land(flights, key, f)
		}
		var none T
		return none, ctx.Err()
	}
}

// land takes a flight out of those that can be joined.
func land[T any](flights map[string]*flight[T], key string, f *flight[T]) {
	if flights[key] == f {
		delete(flights, key)
	}
}
