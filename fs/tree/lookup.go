package tree

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/store"
)

// An Entry is one name in a directory.
type Entry struct {
	Name string
	// Key is that of the object, or of the directory with a slash at its end. It need not
	// be what Tree.Key makes of the name (see the package's documentation).
	Key string
	Dir bool
	// Info describes the object, or the marker of a directory; it is zero for a directory
	// without a marker. Its maps are shared and not to be changed.
	Info store.Info
	// Complete says that Info is that of a HEAD or of our own write, with all properties;
	// otherwise it is what a listing shows.
	Complete bool
	// Seen is when the oldest request that the entry rests on was sent.
	Seen time.Time
}

// Lookup returns the entry of a name in a directory; it is always complete. It fails with
// store.ErrNotFound if nothing is there, with ErrNameTooLong or ErrNotUTF8 if nothing can
// be, and with the errors of the store.
func (t *Tree) Lookup(ctx context.Context, dir, name string) (Entry, error) {
	e, err := t.lookup(ctx, dir, name)
	if (errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrNameTooLong)) && mayBeShown(name) {
		e, err = t.lookupShown(ctx, dir, name, err)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("looking up %.300q: %w", dir+name, err)
	}
	return e, nil
}

func (t *Tree) lookup(ctx context.Context, dir, name string) (Entry, error) {
	switch _, err := t.Key(dir, name); {
	case errors.Is(err, ErrReserved):
		return Entry{}, store.ErrNotFound
	case err != nil:
		return Entry{}, err
	}
	s, err := t.state(ctx, dir, name)
	if err != nil {
		return Entry{}, err
	}
	return s.entry(name, dir+name)
}

// entry makes the entry of a name with this key. It fails with store.ErrNotFound.
func (s state) entry(name, key string) (Entry, error) {
	switch {
	case s.below.yes:
		e := Entry{Name: name, Key: key + "/", Dir: true, Complete: true, Seen: older(s.below.seen, s.marker.seen)}
		if s.marker.info != nil {
			e.Info = *s.marker.info
		}
		return e, nil
	case s.object.info != nil:
		return s.file(name, key), nil
	case s.lasting:
		return Entry{Name: name, Key: key + "/", Dir: true, Complete: true, Seen: time.Now()}, nil
	}
	return Entry{}, store.ErrNotFound
}

func (s state) file(name, key string) Entry {
	return Entry{Name: name, Key: key, Info: *s.object.info, Complete: true, Seen: older(s.object.seen, s.below.seen)}
}

// state returns all that decides what is shown under a name.
func (t *Tree) state(ctx context.Context, dir, name string) (state, error) {
	key := dir + name
	t.mu.Lock()
	s := t.known(dir, name)
	enough := t.enough(key, s)
	t.mu.Unlock()
	if enough {
		return s, nil
	}
	return share(ctx, t, t.lookups, key, func() plan[state] {
		s := t.known(dir, name) // again: from here on notes are recorded
		before := s.below
		fetch := func(ctx context.Context) (func([]note) state, error) {
			page, err := t.ask(ctx, key, &s)
			if err != nil {
				return nil, err
			}
			return func(notes []note) state {
				if s.below.yes && s.below != before && !removedBelow(notes, key+"/") {
					t.hasKeys(key + "/")
				}
				for _, n := range notes {
					s.apply(key, n)
				}
				if page != nil && s.below.yes {
					t.compare(key+"/", page, notes)
					t.keep(key+"/", page, notes)
				}
				if !forgotten(notes) {
					c := s
					t.states.put(key, &c, 1)
				}
				s.lasting = t.lasting.has(key + "/")
				return s
			}, nil
		}
		return plan[state]{t.oldest(s), fetch}
	})
}

// removedBelow tells whether we removed the directory or something in it meanwhile.
func removedBelow(notes []note, dir string) bool {
	for _, n := range notes {
		if n.info == nil && !n.forget && strings.HasPrefix(n.key, dir) {
			return true
		}
	}
	return false
}

// known returns what earlier requests said of a name, the latest of each part. Tree.mu is
// held.
func (t *Tree) known(dir, name string) state {
	var s state
	if p, ok := t.states.get(dir + name); ok {
		s = *p
	}
	s.lasting = t.lasting.has(dir + name + "/")
	l, ok := t.listings.get(dir)
	if !ok {
		return s
	}
	listed, is := l.objects[name]
	switch {
	case !is && l.seen.After(s.object.seen):
		s.object = fact{nil, l.seen}
	case is && listed.seen.After(s.object.seen) && !sameVersion(listed.info, s.object.info):
		s.object = fact{} // something is there, but a listing does not tell all of it
	}
	if l.seen.After(s.below.seen) {
		s.below = presence{l.dirs[name], l.seen}
		if !s.below.yes {
			s.marker = fact{nil, l.seen}
		}
	}
	return s
}

// enough tells whether a state needs no request. What hides the rest need not be known
// better. Tree.mu is held.
func (t *Tree) enough(key string, s state) bool {
	return t.fresh(s.object.seen) && t.fresh(s.below.seen) && (!s.below.yes || t.fresh(s.marker.seen) && t.isWatched(key+"/"))
}

// oldest returns when the oldest request was sent of which ask uses the answer.
func (t *Tree) oldest(s state) time.Time {
	at := time.Now()
	for _, seen := range []time.Time{s.object.seen, s.below.seen, s.marker.seen} {
		if t.fresh(seen) {
			at = older(at, seen)
		}
	}
	return at
}

// ask completes the state of a name by requests. It returns what it saw of the directory of that
// name; nil if it did not look, or at its first key alone.
func (t *Tree) ask(ctx context.Context, key string, s *state) (page *listing, err error) {
	var head, list error
	var wg sync.WaitGroup
	began := time.Now()
	if !t.fresh(s.object.seen) {
		wg.Go(func() { s.object, head = t.head(ctx, key) })
	}
	t.mu.Lock()
	watched := !s.below.yes || t.isWatched(key+"/")
	t.mu.Unlock()
	switch marker := s.marker; {
	case !t.fresh(s.below.seen):
		s.below, s.marker, page, list = t.first(ctx, key+"/")
	case !watched:
		s.below, s.marker, page, list = t.first(ctx, key+"/")
		if s.marker.seen.IsZero() && t.fresh(marker.seen) {
			s.marker = marker
		}
	}
	wg.Wait()
	if err := errors.Join(head, list); err != nil {
		return nil, err
	}
	if s.below.yes && s.marker.seen.Before(began) && !t.fresh(s.marker.seen) {
		s.marker, err = t.head(ctx, key+"/")
	}
	return page, err
}

func (t *Tree) head(ctx context.Context, key string) (fact, error) {
	f := fact{seen: time.Now()}
	switch info, err := t.objects.Head(ctx, key, ""); {
	case err == nil:
		f.info = &info
	case !errors.Is(err, store.ErrNotFound):
		return fact{}, err
	}
	return f, nil
}

// first asks for the first keys that begin with a directory's. The marker comes before all
// others; where it is there nothing is known of it yet. What it saw of a directory that is not
// known to be large is in l.
func (t *Tree) first(ctx context.Context, dir string) (is presence, marker fact, l *listing, err error) {
	seen := time.Now()
	o := store.ListOptions{Prefix: dir, Max: 1}
	t.mu.Lock()
	if !t.isLarge(dir) {
		o.Delimiter, o.Max = "/", firstPage
		l = newListing(seen)
	}
	t.mu.Unlock()
	for {
		page, err := t.objects.List(ctx, o)
		if err != nil {
			return presence{}, fact{}, nil, err
		}
		if l != nil {
			l.add(dir, page, seen)
			l.all = page.Next == ""
		}
		switch {
		case len(page.Objects) > 0 && page.Objects[0].Key == dir:
			return presence{true, seen}, fact{}, l, nil
		case len(page.Objects)+len(page.Prefixes) > 0:
			return presence{true, seen}, fact{nil, seen}, l, nil
		case page.Next == "":
			return presence{false, seen}, fact{nil, seen}, l, nil
		}
		o.Token = page.Next // S3 may answer with less than was asked for
	}
}
