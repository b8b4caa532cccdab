package tree

import (
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A note is what Note or Forget said.
type note struct {
	key    string
	info   *store.Info // nil: gone
	at     time.Time
	forget bool
}

func (n note) isDir() bool { return strings.HasSuffix(n.key, "/") }

// A fact is what a HEAD or a Note said of one key; with seen zero nothing is known.
type fact struct {
	info *store.Info // nil: nothing is there
	seen time.Time   // when the request was sent
}

// A presence is whether any key begins with that of a directory.
type presence struct {
	yes  bool
	seen time.Time
}

// A state is what is known of one name.
// INVARIANT: where nothing is below, the marker is not, known as long.
type state struct {
	object, marker fact
	below          presence
	lasting        bool // the directory was lasting when the state was asked for; set in answers alone
}

// apply takes over what a note says of the name with this key.
func (s *state) apply(key string, n note) {
	dir := key + "/"
	switch {
	case n.forget:
	case n.key == key:
		s.object = fact{n.info, n.at}
	case n.key == dir:
		s.marker = fact{n.info, n.at}
		s.below = presence{n.info != nil, n.at}
	case n.info != nil && strings.HasPrefix(n.key, dir):
		s.below = presence{true, n.at}
	}
	// A key that went from below the directory may have been the last one. We do not know, and it
	// makes no difference: the directory is lasting.
}

// A listing is what a directory was seen to hold, without names that no path can have.
type listing struct {
	seen    time.Time // when its first page was asked for
	objects map[string]fact
	dirs    map[string]bool
	all     bool // nothing is missing
}

func newListing(seen time.Time) *listing {
	return &listing{seen: seen, objects: make(map[string]fact), dirs: make(map[string]bool)}
}

// add takes over a page of the directory dir, which was asked for at that time.
func (l *listing) add(dir string, page store.ListPage, at time.Time) {
	for k := range page.Objects {
		i := &page.Objects[k]
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

// sameVersion tells whether a listing's entry is, as far as it shows, the version that a HEAD saw.
// HEAD gives the time in whole seconds, while some servers list fractions.
func sameVersion(listed, headed *store.Info) bool {
	return headed != nil && listed.ETag == headed.ETag && listed.Size == headed.Size &&
		listed.LastModified.Unix() == headed.LastModified.Unix()
}

// older returns the earlier of two times.
func older(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
