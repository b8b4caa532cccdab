package file

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/store"
)

// A moment is what a file was from one change to the next, as a program made it. No two of them
// are alike, but for empty ones, so that the versions in the bucket tell whose they are. The end
// of a name is a moment too.
type moment struct {
	text string
	mode uint32 // with type bits
	gone bool   // the name was removed
	key  string // that is gone
	// saw are the moments that its author had seen: first the one of the same file before it, and
	// then those that it was put in place of.
	saw []*moment

	answer answer
	// owed: it has to be in the bucket in the end, or what was made of it, or to be kept.
	owed bool
	// instead is what a recovery may make of a change of the mode: that of what was saved last.
	instead *moment
	// change is the one that was made by name, and other what it has become because something
	// else was there by then.
	change *Change
	other  *moment
	// undoes is what its author takes back, since the look at its directory was refused.
	undoes *moment
}

// An answer is what the author of a moment was told.
type answer int

const (
	open     answer = iota // nobody knows whether it has happened: it may be there or not
	accepted               // it has happened
	denied                 // it has not
)

// became is what a moment has become.
func (m *moment) became() *moment {
	if m.other != nil {
		return m.other
	}
	return m
}

// knew tells whether the author of m had seen the moment old, or has made it himself.
func (m *moment) knew(old *moment) bool {
	return m == old || slices.ContainsFunc(m.saw, func(s *moment) bool { return s.knew(old) })
}

// grewFrom tells whether old is m or was the same file before it.
func (m *moment) grewFrom(old *moment) bool {
	return m == old || len(m.saw) > 0 && m.saw[0].grewFrom(old)
}

func (m *moment) String() string {
	switch {
	case m == nil:
		return "nothing"
	case m.gone:
		return "the end of " + m.key
	}
	return fmt.Sprintf("%q %o", cutText(m.text), m.mode)
}

func cutText(text string) string { return text[:min(len(text), 40)] }

// newMoment notes what a program is about to make.
func (w *sweep) newMoment(m moment, saw ...*moment) *moment {
	for _, s := range saw {
		if s != nil {
			m.saw = append(m.saw, s)
		}
	}
	if old := w.find(m.text, m.mode, nil); old != nil && !m.gone && m.text != "" {
		w.fail("two moments of the script are alike: %v", old)
	}
	w.moments = append(w.moments, &m)
	return &m
}

// find returns the moment that a version in the bucket is, which lies on another one. A file
// may be empty more than once.
func (w *sweep) find(text string, mode uint32, below *moment) (found *moment) {
	for _, m := range w.moments {
		if !m.gone && m.text == text && m.mode == mode {
			found = m
			if below == nil || m != below && m.knew(below) {
				return m
			}
		}
	}
	return found
}

// changedOther finds a change by name that was made of something else than was there when it
// was asked for.
func (w *sweep) changedOther(text string, mode uint32, below *moment) *moment {
	for _, m := range w.moments {
		if m.change == nil || below == nil {
			continue
		}
		if is := m.change.of(below); is.text == text && is.mode == mode {
			is.answer, is.owed = m.answer, m.owed
			m.other, m.owed = w.newMoment(is, below), false
			return m.other
		}
	}
	return nil
}

// versions are what the bucket has of a key, oldest first, the end of the name included. What
// nobody made is told.
func (w *sweep) versions(key string) (all []*moment) {
	for _, v := range w.mem.History(key) {
		m := w.known[v.Info.VersionID]
		switch {
		case m != nil:
		case v.Deleted:
			m = w.end(key, last(all))
		default:
			m = w.version(v.Info, last(all))
		}
		w.known[v.Info.VersionID] = m
		all = append(all, m)
	}
	return all
}

// version tells which moment a version is, that lies on another one.
func (w *sweep) version(i store.Info, below *moment) *moment {
	text, mode := w.body(i), AttrOf(i, Defaults{FileMode: 0o644, DirMode: 0o755}).Mode
	m := w.find(text, mode, below)
	if m == nil {
		m = w.changedOther(text, mode, below)
	}
	if m == nil {
		w.fail("nobody has made the version %q %o of %q", cutText(text), mode, i.Key)
		m = &moment{text: text, mode: mode}
	}
	return m
}

// end returns the end of a name that somebody has brought about who had seen what was there.
func (w *sweep) end(key string, of *moment) *moment {
	for _, answer := range []answer{accepted, open, denied} {
		for _, m := range w.moments {
			if m.gone && m.key == key && m.answer == answer && of != nil && m.knew(of) {
				return m
			}
		}
	}
	if of != nil && w.plan != nil && w.plan.trouble == refusing && w.plan.effect.label == "s3 Head "+key[:strings.IndexByte(key, '/')+1] {
		return w.newMoment(moment{gone: true, key: key, undoes: of}, of)
	}
	w.fail("nobody who had seen %v has removed %q", of, key)
	return &moment{gone: true, key: key}
}

func last(all []*moment) *moment {
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

func (w *sweep) body(i store.Info) string {
	o, err := w.mem.Get(context.Background(), store.GetRequest{Key: i.Key, Version: i.VersionID})
	if err != nil {
		return err.Error()
	}
	defer o.Body.Close()
	text, err := io.ReadAll(o.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// now is what is under a key; nil if nothing ever was.
func (w *sweep) now(key string) *moment { return last(w.versions(key)) }

// there is what is under a key; nil if nothing is.
func (w *sweep) there(key string) *moment {
	if m := w.now(key); m != nil && !m.gone {
		return m
	}
	return nil
}

// occupied tells whether the name of a key is a file or a directory.
func (w *sweep) occupied(key string) bool {
	name := strings.TrimSuffix(key, "/")
	return w.there(name) != nil || w.there(name+"/") != nil
}

// answered notes what the author of a moment was told.
func (s *session) answered(m *moment, err error) {
	switch name := errnoName(err); {
	case s.isDead(), name == "EIO":
	case err == nil:
		m.answer = accepted
	default:
		m.answer = denied
	}
}
