package tree

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/latchfs/latchfs/store"
)

// List returns all entries of a directory by name; that of a directory which is not there
// has none. Entries are complete where a HEAD or a write of our own described the version
// that is listed.
func (t *Tree) List(ctx context.Context, dir string) ([]Entry, error) {
	return t.list(ctx, dir, false)
}

// list is List; page tells that nobody wants the names.
func (t *Tree) list(ctx context.Context, dir string, page bool) ([]Entry, error) {
	t.mu.Lock()
	if l, ok := t.listings.get(dir); ok && t.fresh(l.seen) {
		entries := t.entries(dir, l)
		t.mu.Unlock()
		sortByName(entries)
		return entries, nil
	}
	t.mu.Unlock()
	fetch := func(ctx context.Context) (func([]note) []Entry, error) {
		l, err := t.fetch(ctx, store.ListOptions{Prefix: dir, Delimiter: "/"}, 0)
		if err != nil {
			return nil, err
		}
		l.page = page
		return func(notes []note) []Entry {
			t.keep(dir, l, notes)
			return t.entries(dir, l)
		}, nil
	}
	entries, err := share(ctx, t, t.lists, dir, func() plan[[]Entry] { return plan[[]Entry]{time.Now(), fetch} })
	if err != nil {
		return nil, fmt.Errorf("listing %q: %w", dir, err)
	}
	entries = slices.Clone(entries) // others may have the same
	sortByName(entries)
	return entries, nil
}

func sortByName(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
}

// entries makes the entries of a listing, in no order, from it and from what requests sent later
// said of single names. Tree.mu is held.
func (t *Tree) entries(dir string, l *listing) []Entry {
	entries := make([]Entry, 0, len(l.objects)+len(l.dirs))
	taken := make(map[string]bool, len(l.objects)+len(l.dirs))
	for name := range l.dirs {
		if e, ok := t.dirEntry(dir, name, l.seen); ok {
			taken[name] = true
			entries = append(entries, e)
		}
	}
	for name, listed := range l.objects {
		if e, ok := t.objectEntry(name, listed); ok {
			taken[name] = true
			entries = append(entries, e)
		}
	}
	for name := range t.lasting[dir] {
		if !taken[name] {
			entries = append(entries, Entry{Name: name, Key: dir + name + "/", Dir: true, Complete: true, Seen: time.Now()})
		}
	}
	return show(entries)
}

// objectEntry makes the entry of a listed object; ok is false if it was found to be gone
// since.
func (t *Tree) objectEntry(name string, listed fact) (e Entry, ok bool) {
	e = Entry{Name: name, Key: listed.info.Key, Info: *listed.info, Seen: listed.seen}
	s, ok := t.states.get(e.Key)
	if !ok {
		return e, true
	}
	switch o := s.object; {
	case o.seen.Before(listed.seen):
		// What a HEAD said long ago counts only if no later version looks the same: a chmod within
		// the same second does.
		switch same := sameVersion(listed.info, o.info); {
		case same && o.info.Settled:
			e.Info, e.Complete = *o.info, true
		case same && t.fresh(o.seen):
			e.Info, e.Complete, e.Seen = *o.info, true, o.seen
		}
	case o.info == nil:
		return e, false
	default:
		e.Info, e.Complete, e.Seen = *o.info, true, o.seen
	}
	return e, true
}

// dirEntry makes the entry of a listed directory; ok is false if it was found to be gone
// since. A listing does not tell of its marker.
func (t *Tree) dirEntry(dir, name string, listed time.Time) (e Entry, ok bool) {
	key := dir + name
	e = Entry{Name: name, Key: key + "/", Dir: true, Seen: listed}
	s, ok := t.states.get(key)
	if !ok {
		return e, true
	}
	if !s.below.yes && s.below.seen.After(listed) {
		return e, false
	}
	if t.fresh(s.marker.seen) {
		e.Complete, e.Seen = true, older(listed, s.marker.seen)
		if s.marker.info != nil {
			e.Info = *s.marker.info
		}
	}
	return e, true
}
