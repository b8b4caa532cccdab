package tree

import (
	"context"
	"hash/fnv"
	"maps"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// When the entries of a directory changed. The bucket does not say: a key that is gone leaves
// nothing, and neither FUSE nor a path tells who wants to know. So a look-up of a directory asks
// for its first page where one key would do for the answer, which is the same number of requests;
// and each look at all of a directory is compared with the one before it, which our own changes
// were added to:
//
//   - what this mount did itself changed it when it was done (Touch);
//   - a name that appeared or vanished otherwise changed it now, when we noticed;
//   - of a directory that was never seen before, the greatest LastModified in it is the most that
//     can be told, together with the times of its marker, which the front knows.
//
// Whether the marker of a directory was written before its entries changed last or after that (its
// times may have been set, and then those count) is told by the order in which both were seen here,
// and by LastModified where a marker and names are new to us. Clocks of hosts are not compared with the
// bucket's.
//
// A directory of more than a page is compared only when it is listed; its look-ups ask for one
// key again. What is remembered is bounded: of a directory that was dropped the last rule holds.

const (
	// firstPage is how many entries a look-up of a directory asks for.
	firstPage = 1000
	// maxNames bounds the names of all directories together whose changes are watched, at about
	// 16 bytes each.
	maxNames = 500_000
)

// A watched directory. Tree.mu guards it.
type watched struct {
	changed time.Time
	// marker is the one that was seen last, under the one that was there when the entries changed;
	// nil if that is not known.
	marker, under *Marker
	// appeared is the greatest LastModified of what somebody else put into the directory last.
	appeared time.Time
	// names are hashes of what is in it, as it was seen and with our own changes since.
	names map[uint64]struct{}
	seen  time.Time // when it was compared last
	// whole: nothing but names was in it when it was seen last.
	whole bool
	// large: it has more than a page.
	large bool
}

func nameHash(name string, isDir bool) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	if isDir {
		h.Write([]byte{'/'})
	}
	return h.Sum64()
}

// Touch notes that this mount changes the entries of a directory now.
func (t *Tree) Touch(dir string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, ok := t.watched.get(dir)
	if !ok {
		w = &watched{names: make(map[uint64]struct{})}
	}
	w.change()
	w.under = t.markerOf(dir)
	t.watched.put(dir, w, w.weight())
}

// A Marker is a version of a directory's marker, the zero Marker for none.
type Marker struct {
	store.Base
	// Set names the setting of its mtime (store.MtimeSet).
	Set string
}

// An Order tells what was later.
type Order int

const (
	// MarkerLater: the mtime of the marker was set after the entries had changed.
	MarkerLater Order = iota
	// ModeLater: its mode or owner was, by somebody who may have known less of the entries.
	ModeLater
	// EntriesLater: the entries changed after the marker was written.
	EntriesLater
)

// Changed tells when the entries of a directory changed last, as far as this mount knows, and in
// which order with its marker, of which the caller knows this version. The time is zero if nothing
// is known, and then the marker is later. As long as that is the same the time is never an
// earlier one than before.
func (t *Tree) Changed(dir string, marker Marker) (at time.Time, order Order) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, ok := t.watched.get(dir)
	if !ok || w.changed.IsZero() {
		return time.Time{}, MarkerLater
	}
	w.marker = &marker
	if now := t.markerOf(dir); now != nil {
		w.marker = now // of what is known of the directory that may be older
	}
	if w.under == nil {
		w.under = w.marker
	}
	switch {
	case marker.Absent(), w.under.Same(w.marker.Base), w.appeared.After(w.marker.LastModified):
		return w.changed, EntriesLater
	case w.under.Set == w.marker.Set && !w.under.Absent():
		return w.changed, ModeLater
	}
	return w.changed, MarkerLater
}

// markerOf gives the marker of a directory as it was seen last, nil if it is not known. Tree.mu is held.
func (t *Tree) markerOf(dir string) *Marker {
	s, ok := t.states.get(strings.TrimSuffix(dir, "/"))
	if !ok || s.marker.seen.IsZero() {
		return nil
	}
	return s.marker.version()
}

// Watch looks whether the entries of a directory have changed, unless that is known to take more
// than a page. It fails with the errors of the store.
func (t *Tree) Watch(ctx context.Context, dir string) error {
	t.mu.Lock()
	large := t.isLarge(dir)
	t.mu.Unlock()
	if large {
		return nil
	}
	_, err := t.list(ctx, dir, true)
	return err
}

func (w *watched) weight() int { return 1 + len(w.names) }

// change makes now the time of the last change, which is another one than before.
func (w *watched) change() {
	now := time.Now()
	if next := w.changed.Add(1); next.After(now) {
		now = next
	}
	w.changed = now
}

// apply takes over what a note says of the directory dir.
func (w *watched) apply(dir string, n note) {
	name, isDir, ok := Child(dir, n.key)
	switch {
	case n.forget, !ok:
	case n.info != nil:
		w.names[nameHash(name, isDir)] = struct{}{}
	case !isDir || n.key == dir+name+"/":
		delete(w.names, nameHash(name, isDir))
	}
	// The last key below a directory may be gone: then that one is lasting.
}

// compare takes over what a directory was seen to hold. Of one of which only a part was seen
// nothing but that is taken over. Tree.mu is held.
func (t *Tree) compare(dir string, l *listing) {
	known, ok := t.watched.get(dir)
	size := len(l.objects) + len(l.dirs)
	now := t.markerOf(dir)
	if !l.own.seen.IsZero() {
		now = l.own.version()
	}
	w := &watched{seen: l.seen, names: make(map[uint64]struct{}, size), whole: l.whole(), large: size > firstPage || !l.whole()}
	for name, f := range l.objects {
		h := nameHash(name, false)
		w.names[h] = struct{}{}
		if !ok || !known.has(h) {
			w.appeared = newer(w.appeared, f.info.LastModified)
		}
	}
	for name := range l.dirs {
		w.names[nameHash(name, true)] = struct{}{}
	}
	for name := range t.lasting[dir] {
		w.names[nameHash(name, true)] = struct{}{}
	}
	switch {
	case !ok:
		w.changed, w.under = w.appeared, new(Marker)
	case l.whole() && known.whole && !known.same(w):
		w.changed, w.under = known.changed, known.marker
		w.change()
		switch {
		case w.under == nil:
			w.under = now
		case now != nil && w.appeared.Before(now.LastModified) && known.in(w):
			w.under = new(Marker) // the marker was written later than all that is new
		}
	default:
		w.changed, w.under, w.appeared = known.changed, known.under, known.appeared
		if !l.whole() { // the next listing tells
			w.names, w.whole = known.names, known.whole
		}
	}
	w.marker = now
	if w.weight() > maxNames {
		w.names, w.whole = make(map[uint64]struct{}), false
	}
	t.watched.put(dir, w, w.weight())
}

func (w *watched) has(name uint64) bool {
	_, ok := w.names[name]
	return ok
}

// in tells whether all names of a directory are in another one.
func (w *watched) in(o *watched) bool {
	for name := range w.names {
		if !o.has(name) {
			return false
		}
	}
	return true
}

func (w *watched) same(o *watched) bool { return maps.Equal(w.names, o.names) }

// isWatched tells whether it is known as well as it can be when the directory changed: it was
// compared not long ago, or a look-up does not show it. Tree.mu is held.
func (t *Tree) isWatched(dir string) bool {
	w, ok := t.watched.get(dir)
	return ok && (w.large || t.fresh(w.seen))
}

// made notes that the directory was made here, so that nothing is in it. Tree.mu is held.
func (t *Tree) made(dir string, at time.Time) {
	w := &watched{seen: at, names: make(map[uint64]struct{}), whole: true}
	if known, ok := t.watched.get(dir); ok {
		w.changed, w.under = known.changed, known.under
	}
	t.watched.put(dir, w, w.weight())
}

// isLarge tells whether a page is not enough to see all of a directory. Tree.mu is held.
func (t *Tree) isLarge(dir string) bool {
	w, ok := t.watched.get(dir)
	return ok && w.large
}
