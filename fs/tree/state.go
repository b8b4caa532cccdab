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

// version is what the fact says of a directory's marker.
func (f fact) version() *Marker {
	if f.info == nil {
		return new(Marker)
	}
	return &Marker{f.info.Base(), store.MtimeSet(f.info.Props.Meta)}
}

// A presence is whether any key begins with that of a directory.
type presence struct {
	yes  bool
	seen time.Time
	page bool // as a page showed it
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
		s.below = presence{n.info != nil, n.at, false}
	case n.info != nil && strings.HasPrefix(n.key, dir):
		s.below = presence{true, n.at, false}
	}
	// A key that went from below the directory may have been the last one. We do not know, and it
	// makes no difference: the directory is lasting.
}

// learn takes over what a listing tells of the name.
func (s *state) learn(name string, l *listing) {
	listed, is := l.objects[name]
	switch {
	case !is && l.seen.After(s.object.seen):
		s.object = fact{nil, l.seen}
	case is && listed.seen.After(s.object.seen) && !sameVersion(listed.info, s.object.info):
		s.object = fact{} // something is there, but a listing does not tell all of it
	}
	if l.seen.After(s.below.seen) {
		s.below = presence{l.dirs[name], l.seen, l.page}
		if !s.below.yes {
			s.marker = fact{nil, l.seen}
		}
	}
}

// sameVersion tells whether a listing's entry is, as far as it shows, the version that a HEAD saw.
// HEAD gives the time in whole seconds, while some servers list fractions.
func sameVersion(listed, headed *store.Info) bool {
	return headed != nil && listed.ETag == headed.ETag && listed.Size == headed.Size &&
		listed.LastModified.Unix() == headed.LastModified.Unix()
}

// newer returns the later of two times.
func newer(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// older returns the earlier of two times.
func older(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
