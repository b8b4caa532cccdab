package tree

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A listing is what a directory, or a part of it, was seen to hold, without names that no path
// can have.
type listing struct {
	seen    time.Time // when its first page was asked for
	objects map[string]fact
	dirs    map[string]bool
	// after, last and end are the ends of a part: it begins behind the name after, "" for the
	// beginning, and goes to the end of the directory or to the key last, relative to it.
	after, last string
	end         bool
	// page: nobody here asked for the names of the directory. What it does not show may be there all
	// the same: that a name was found absent is believed only if somebody looked (SEMANTICS G2).
	page bool
	// some: a key begins with that of the directory, whether a path can name it or not; marker: the
	// directory's own does. They are about the part alone.
	some, marker bool
	// own is what is known of the directory's marker besides; with seen zero nothing is.
	own  fact
	walk walk
}

func newListing(seen time.Time) *listing {
	return &listing{seen: seen, objects: make(map[string]fact), dirs: make(map[string]bool)}
}

// fetch lists a directory to its end or, unless enough is 0, until it has so many entries. o tells
// which directory, by its prefix, and where to begin.
func (t *Tree) fetch(ctx context.Context, o store.ListOptions, enough int) (*listing, error) {
	l := newListing(time.Now())
	l.after = strings.TrimPrefix(o.After, o.Prefix)
	for entries := 0; ; {
		at := time.Now()
		page, err := t.objects.List(ctx, o)
		if err != nil {
			return nil, err
		}
		l.add(o.Prefix, page, at)
		entries += len(page.Objects) + len(page.Prefixes)
		if page.Next == "" {
			l.end = true
		} else if enough > 0 && entries >= enough {
			l.last = lastOf(page)[len(o.Prefix):]
		} else {
			o.Token = page.Next
			continue
		}
		l.walk.order = l.names()
		return l, nil
	}
}

// add takes over a page of the directory dir, which was asked for at that time.
func (l *listing) add(dir string, page store.ListPage, at time.Time) {
	l.some = l.some || len(page.Objects)+len(page.Prefixes) > 0
	for k := range page.Objects {
		i := &page.Objects[k]
		l.marker = l.marker || i.Key == dir
		if name, _, ok := Child(dir, i.Key); ok {
			l.objects[name] = fact{i, at}
		}
	}
	for _, p := range page.Prefixes {
		if name, _, ok := Child(dir, p); ok {
			l.dirs[name] = true
		}
	}
}

// lastOf returns the last key or prefix of a page, which has one.
func lastOf(page store.ListPage) string {
	var last string
	if n := len(page.Objects); n > 0 {
		last = page.Objects[n-1].Key
	}
	if n := len(page.Prefixes); n > 0 {
		last = max(last, page.Prefixes[n-1])
	}
	return last
}

// names returns the names of which a listing shows all, in their order.
func (l *listing) names() []string {
	names := make([]string, 0, len(l.objects)+len(l.dirs))
	for name := range l.objects {
		names = append(names, name)
	}
	for name := range l.dirs {
		if _, both := l.objects[name]; !both {
			names = append(names, name)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !l.covers(name) })
	slices.Sort(names)
	return names
}

// whole tells whether the listing shows all of the directory.
func (l *listing) whole() bool { return l.after == "" && l.end }

// covers tells whether the listing shows whatever there is under a name.
func (l *listing) covers(name string) bool {
	// A directory has its place among the keys by the slash at its end.
	return name > l.after && (l.end || name+"/" <= l.last)
}

// tells is covers for a listing that may be a page.
func (l *listing) tells(name string) bool { return l.covers(name) && (!l.page || l.has(name)) }

// has tells whether the listing shows something under a name.
func (l *listing) has(name string) bool {
	_, object := l.objects[name]
	return object || l.dirs[name]
}

func (l *listing) weight() int { return 1 + len(l.objects) + len(l.dirs) }

// apply takes over what a note says of the directory dir.
func (l *listing) apply(dir string, n note) {
	if n.forget || !strings.HasPrefix(n.key, dir) {
		return
	}
	name, isDir, ok := Child(dir, n.key)
	switch {
	case !ok:
	case isDir && n.info != nil:
		l.dirs[name] = true
	case isDir && n.key == dir+name+"/":
		delete(l.dirs, name)
	case isDir: // as in state.apply
	case n.info != nil:
		l.objects[name] = fact{n.info, n.at}
	default:
		delete(l.objects, name)
	}
}

// keep remembers a listing for which somebody listed the directory or looked it up. List answers
// with the one that was compared last, so that a program which knows the directory's times finds
// what they are of. Tree.mu is held.
func (t *Tree) keep(dir string, l *listing, notes []note) {
	listings := t.listings
	if !l.whole() {
		listings = t.pages
	}
	if t.keepIn(listings, dir, l, notes) {
		t.compare(dir, l)
	}
}

// keepIn remembers a listing after it was corrected by the notes, unless it may be from before a
// Forget. Tree.mu is held.
func (t *Tree) keepIn(listings *cache[*listing], dir string, l *listing, notes []note) bool {
	t.seen(dir, l, notes)
	for _, n := range notes {
		l.apply(dir, n)
	}
	listings.dropOldest(func(l *listing) bool { return !t.fresh(l.seen) })
	if forgotten(notes) {
		return false
	}
	listings.put(dir, l, l.weight())
	return true
}

// seen lets go of lasting directories that a listing shows to have keys. Tree.mu is held.
func (t *Tree) seen(dir string, l *listing, notes []note) {
	for name := range t.lasting[dir] {
		if sub := dir + name + "/"; l.dirs[name] && !removedBelow(notes, sub) {
			t.hasKeys(sub)
		}
	}
	if l.some && !removedBelow(notes, dir) {
		t.hasKeys(dir)
	}
}
