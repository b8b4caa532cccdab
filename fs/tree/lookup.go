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
	t.mu.Unlock()
	if t.enough(s) {
		return s, nil
	}
	return share(ctx, t, t.lookups, key, func() plan[state] {
		s := t.known(dir, name) // again: from here on notes are recorded
		before := s.below
		fetch := func(ctx context.Context) (func([]note) state, error) {
			if err := t.ask(ctx, key, &s); err != nil {
				return nil, err
			}
			return func(notes []note) state {
				if s.below.yes && s.below != before && !removedBelow(notes, key+"/") {
					t.hasKeys(key + "/")
				}
				for _, n := range notes {
					s.apply(key, n)
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
// better.
func (t *Tree) enough(s state) bool {
	return t.fresh(s.object.seen) && t.fresh(s.below.seen) && (!s.below.yes || t.fresh(s.marker.seen))
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

// ask completes the state of a name by requests.
func (t *Tree) ask(ctx context.Context, key string, s *state) error {
	var head, list error
	var wg sync.WaitGroup
	began := time.Now()
	if !t.fresh(s.object.seen) {
		wg.Go(func() { s.object, head = t.head(ctx, key) })
	}
	if !t.fresh(s.below.seen) {
		s.below, s.marker, list = t.first(ctx, key+"/")
	}
	wg.Wait()
	if err := errors.Join(head, list); err != nil {
		return err
	}
	if s.below.yes && s.marker.seen.Before(began) && !t.fresh(s.marker.seen) {
		var err error
		s.marker, err = t.head(ctx, key+"/")
		return err
	}
	return nil
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

// first asks for the first key that begins with a directory's. The marker comes before all
// others; where it is there nothing is known of it yet.
func (t *Tree) first(ctx context.Context, dir string) (presence, fact, error) {
	seen := time.Now()
	o := store.ListOptions{Prefix: dir, Max: 1}
	for {
		page, err := t.objects.List(ctx, o)
		switch {
		case err != nil:
			return presence{}, fact{}, err
		case len(page.Objects) > 0 && page.Objects[0].Key == dir:
			return presence{true, seen}, fact{}, nil
		case len(page.Objects) > 0:
			return presence{true, seen}, fact{nil, seen}, nil
		case page.Next == "":
			return presence{false, seen}, fact{nil, seen}, nil
		}
		o.Token = page.Next // S3 may answer with less than was asked for
	}
}
