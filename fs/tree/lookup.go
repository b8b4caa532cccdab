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
	if (errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrNameTooLong)) && MayBeShown(name) {
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
	t.lookAhead(dir, name)
	s, err := t.state(ctx, dir, name)
	if err != nil {
		return Entry{}, err
	}
	e, err := s.entry(name, dir+name)
	t.found(dir, name, err == nil)
	return e, err
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
					page.own = s.marker
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
	if l := t.latest(dir, name); l != nil {
		s.learn(name, l)
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
	began, was, headed := time.Now(), s.below, !t.fresh(s.object.seen)
	if headed {
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
	// It went since somebody else's request showed it. What came instead may be of the other kind.
	switch gone := s.object.info == nil && !s.below.yes; {
	case gone && was.yes && !headed:
		if s.object, err = t.head(ctx, key); err != nil {
			return nil, err
		}
	case gone && s.below.page:
		if s.below, s.marker, page, err = t.first(ctx, key+"/"); err != nil {
			return nil, err
		}
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
	t.mu.Lock()
	large := t.isLarge(dir)
	t.mu.Unlock()
	o := store.ListOptions{Prefix: dir, Delimiter: "/", Max: firstPage}
	if large {
		o.Delimiter, o.Max = "", 1
	}
	l, err = t.fetch(ctx, o, 1) // S3 may answer with less than was asked for
	if err != nil {
		return presence{}, fact{}, nil, err
	}
	is, marker = presence{yes: l.some, seen: l.seen}, fact{nil, l.seen}
	if l.marker {
		marker = fact{}
	}
	if large {
		return is, marker, nil, nil
	}
	l.page = true
	return is, marker, l, nil
}
