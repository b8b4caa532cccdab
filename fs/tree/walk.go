package tree

import (
	"slices"
	"time"
)

const (
	// stride is how far a look-up may be from an earlier one, in names of the listing, to be
	// the next one of a reader who goes through the directory: not all look up every name.
	stride = 8
	// maxFront bounds the names around a reader that are looked at, skipped ones included.
	maxFront = 1000
	// paceShare is the share of the latest pause in a reader's pace, as a divisor.
	paceShare = 8
)

// A walk is how far the names of a listing were looked up.
type walk struct {
	order []string      // the names in their order, as the listing was when it came
	marks []mark        // of the names, by their place in the order; nil before the first look-up
	last  time.Time     // when a name was looked up last
	pace  time.Duration // the time from one look-up to the next, as a moving mean
	// skips: only types are wanted, so plain files are not looked up, as by find -type f.
	skips bool
}

// A mark is what was done with a name.
type mark uint8

const (
	used  mark = 1 << iota // it was looked up
	asked                  // it was looked up ahead
	plain                  // the listing shows that it is a regular file
)

// pass takes note that a name of a listing is looked up. It returns the place of the name and
// whether one of those before it was looked up too, or there are hardly any. Tree.mu is held.
func (t *Tree) pass(l *listing, name string) (i int, inOrder bool) {
	w := &l.walk
	i, found := slices.BinarySearch(w.order, name)
	if !found {
		return 0, false
	}
	if w.marks == nil {
		w.marks = t.marks(l)
	}
	if w.last.IsZero() {
		w.pace, w.skips = t.ahead.pace, t.ahead.skips
	}
	now := time.Now()
	if w.marks[i]&used == 0 {
		w.marks[i] |= used
		if pause := now.Sub(w.last); pause < t.ttl { // otherwise he was away
			w.pace += (pause - w.pace) / paceShare
		}
	}
	w.last = now
	if !l.dirs[name] { // the pace among directories is that of what is done in each
		t.ahead.pace = w.pace
	}
	inOrder, skipped := w.follows(i)
	switch {
	case !inOrder:
	case w.marks[i]&plain != 0:
		w.skips = false
	case skipped:
		w.skips = true
	}
	t.ahead.skips = w.skips
	return i, inOrder
}

// follows tells whether a look-up of the name at a place follows that of another one within a
// stride, or the beginning, and whether there are plain files in between, which do not count where
// the name is none.
func (w *walk) follows(i int) (inOrder, skipped bool) {
	n := 0
	for j := i - 1; j >= max(0, i-maxFront); j-- {
		m := w.marks[j]
		if m&used != 0 {
			return true, skipped
		}
		if m&plain != 0 && w.marks[i]&plain == 0 {
			skipped = true
		} else if n++; n == stride {
			return false, skipped
		}
	}
	return i < maxFront, skipped
}

// marks returns the marks of a listing at its beginning. Tree.mu is held.
func (t *Tree) marks(l *listing) []mark {
	marks := make([]mark, len(l.walk.order))
	for i, name := range l.walk.order {
		listed, ok := l.objects[name]
		if ok && !l.dirs[name] && (listed.info.Size == 0 || listed.info.Size > t.ahead.maxTarget) {
			marks[i] = plain
		}
	}
	return marks
}

// window is how many names ahead of a reader are looked up: as many as he needs before the answers
// are too old, which are as old as the listing. Tree.mu is held.
func (t *Tree) window(l *listing) int {
	left := t.ttl - time.Since(l.seen)
	if l.walk.pace <= 0 || left/2/l.walk.pace >= time.Duration(t.ahead.most) {
		return t.ahead.most
	}
	return max(1, int(left/2/l.walk.pace))
}
