package tree

import (
	"context"
	"time"

	"github.com/latchfs/latchfs/store"
)

const (
	// steps is how many names have to be found in their order for a directory to be listed.
	steps = 3
	// maxClimbs bounds the directories of which a climb is remembered.
	maxClimbs = 1000
	// patience bounds a request ahead. Whoever waits for its answer then goes on waiting.
	patience = 5 * time.Second
)

// A climb is how names are looked up in a directory of which no listing is known: each behind the
// one before. Programs that have lists of their own do that, as git has.
type climb struct {
	name   string // the last one
	at     time.Time
	steps  int
	listed time.Time // when the directory was listed for it
}

// ahead is what all look-ups ahead have in common. Guarded by Tree.mu.
type ahead struct {
	maxTarget int64 // Options.MaxTarget

	most  int // how many requests may be under way, Options.Ahead
	width int // how many the bucket takes now
	under int // how many are under way
	// pace is that of the walk in which a file was looked up last; the next walk begins with it.
	pace  time.Duration
	skips bool // the same of walk.skips
	// paging are the directories of which a part is being listed.
	paging map[string]bool
	climbs *cache[climb] // by directory
}

func newAhead(o Options) ahead {
	return ahead{maxTarget: o.MaxTarget, most: o.Ahead, width: o.Ahead, paging: make(map[string]bool), climbs: newCache[climb](maxClimbs)}
}

// lookAhead takes note that a name is looked up. If that is a step of a reader who goes through
// the names of a directory in their order, those in front of him are looked up in the background.
// Nothing waits for its turn: a reader who left leaves no more than what is under way.
func (t *Tree) lookAhead(dir, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ahead.most == 0 {
		return
	}
	l := t.latest(dir, name)
	if l == nil || !t.fresh(l.seen) {
		return
	}
	i, inOrder := t.pass(l, name)
	if !inOrder {
		return
	}
	window, front := t.window(l), l.walk.order[i+1:]
	// The part behind has to be there before the last name of this one is looked up ahead.
	if !l.end && len(front) < 2*window || len(front) > 0 && time.Since(l.seen) >= t.ttl/2 {
		t.pageAhead(dir, name, name)
	}
	for k := 0; k < min(len(front), maxFront) && window > 0; k++ {
		m := &l.walk.marks[i+1+k]
		if l.walk.skips && *m&plain != 0 {
			continue
		}
		window--
		if *m&asked == 0 && t.ahead.under < t.ahead.width {
			*m |= asked
			t.stateAhead(dir, front[k], l)
		}
	}
}

// found takes note of what a look-up came to. If it is the last one of a few, each behind the one
// before, in a directory of which no listing is known, that is listed: once in a TTL, since
// names at random do that too. Who finds nothing is searching.
func (t *Tree) found(dir, name string, something bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.latest(dir, name); t.ahead.most == 0 || l != nil && t.fresh(l.seen) {
		return
	}
	c, _ := t.ahead.climbs.get(dir)
	switch {
	case !something:
		c.steps = 0
	case !t.fresh(c.at) || name < c.name:
		c.steps = 1
	case name > c.name:
		c.steps++
	}
	c.name, c.at = name, time.Now()
	if c.steps >= steps && !t.fresh(c.listed) {
		c.listed = c.at
		t.pageAhead(dir, "", name)
	}
	t.ahead.climbs.put(dir, c, 1)
}

// stateAhead looks up a name of a listing in the background, unless that needs no request or is
// being done. Tree.mu is held.
func (t *Tree) stateAhead(dir, name string, l *listing) {
	if _, under := t.lookups[dir+name]; under || !l.has(name) || t.enough(dir+name, t.known(dir, name)) {
		return
	}
	t.sendAhead(func(ctx context.Context) (func(), error) {
		s, err := t.state(ctx, dir, name)
		return func() {
			if _, gone := s.entry(name, dir+name); err == nil && gone != nil {
				t.states.drop(dir + name) // nobody here looked: that it is absent is not remembered
			}
		}, err
	})
}

// pageAhead lists in the background the part of a directory that begins behind a name, as far as
// one request goes; if that does not reach its reader, then that behind him. Tree.mu is held.
func (t *Tree) pageAhead(dir, after, reader string) {
	if t.ahead.paging[dir] || t.ahead.under >= t.ahead.width {
		return
	}
	t.ahead.paging[dir] = true
	r := t.newRecorder(dir)
	t.sendAhead(func(ctx context.Context) (func(), error) {
		o := store.ListOptions{Prefix: dir, Delimiter: "/"}
		if after != "" {
			o.After = dir + after
		}
		l, err := t.fetch(ctx, o, 1)
		return func() {
			delete(t.ahead.paging, dir)
			delete(t.recorders, r)
			if err != nil {
				return
			}
			if before := t.latest(dir, reader); before != nil {
				l.walk.last, l.walk.pace, l.walk.skips = before.walk.last, before.walk.pace, before.walk.skips
			}
			l.page = true
			t.keepIn(t.pages, dir, l, r.notes)
			if l.after < reader && !l.covers(reader) {
				t.pageAhead(dir, reader, reader)
			}
		}, err
	})
}

// sendAhead runs a request in the background, and what that returns with Tree.mu held. A bucket
// that answers late or with an error gets fewer of them at a time. Tree.mu is held.
func (t *Tree) sendAhead(request func(context.Context) (answer func(), err error)) {
	t.ahead.under++
	go func() {
		limit, began := min(t.ttl, patience), time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		answer, err := request(ctx)
		t.mu.Lock()
		defer t.mu.Unlock()
		answer()
		t.ahead.under--
		if err != nil || time.Since(began) > limit/2 {
			t.ahead.width = max(1, t.ahead.width/2)
		} else {
			t.ahead.width = min(t.ahead.most, t.ahead.width+1)
		}
	}()
}
