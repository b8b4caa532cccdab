package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// A moment is what a file was from one change to the next, as a program made it. No two of them
// are alike (but empty ones), so that the versions in the bucket tell whose they are. The end of a name is a
// moment too.
type moment struct {
	text string
	mode uint32 // with type bits
	gone bool   // the name was removed
	key  string // that is gone
	// saw are the moments that its author had seen and built upon, or put this one in place of.
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

// became is what a moment has become.
func (m *moment) became() *moment {
	if m.other != nil {
		return m.other
	}
	return m
}

// An answer is what the author of a moment was told.
type answer int

const (
	open     answer = iota // nobody knows whether it has happened: it may be there or not
	accepted               // it has happened
	denied                 // it has not
)

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

// knew tells whether the author of m had seen the moment old, or has made it himself.
func (m *moment) knew(old *moment) bool {
	return m == old || slices.ContainsFunc(m.saw, func(s *moment) bool { return s.knew(old) })
}

// versions are what the bucket has of a key, oldest first, the end of the name included. What
// nobody made is told.
func (w *sweep) versions(key string) (all []*moment) {
	for _, v := range w.mem.History(key) {
		if v.Deleted {
			all = append(all, w.end(key, last(all)))
			continue
		}
		all = append(all, w.version(v.Info, last(all)))
	}
	return all
}

// version tells which moment a version is, that lies on another one.
func (w *sweep) version(i store.Info, below *moment) *moment {
	if m := w.known[i.VersionID]; m != nil {
		return m
	}
	text, mode := w.body(i), AttrOf(i, Defaults{FileMode: 0o644, DirMode: 0o755}).Mode
	m := w.find(text, mode, below)
	if m == nil {
		m = w.changedOther(text, mode, below)
	}
	if m == nil {
		w.fail("nobody has made the version %q %o of %q", cutText(text), mode, i.Key)
		m = &moment{text: text, mode: mode}
	}
	w.known[i.VersionID] = m
	return m
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

// end returns the end of a name that somebody has brought about who had seen what was there.
func (w *sweep) end(key string, of *moment) *moment {
	var not *moment
	for _, m := range w.moments {
		if m.gone && m.key == key && of != nil && m.knew(of) {
			if m.answer != denied {
				return m
			}
			not = m
		}
	}
	if not != nil {
		return not
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

// checkBucket looks at all that is in the bucket in the end.
func (w *sweep) checkBucket() {
	inBucket, kept := map[*moment]string{}, map[*moment]string{}
	for _, key := range w.keys {
		var below *moment
		all := w.versions(key)
		for i, m := range all {
			// What is made where it cannot stay is taken back, and the marker of a directory that
			// turns out not to be empty is put back as it was (LOCKS P2).
			undone := i+1 < len(all) && (all[i+1].undoes == m || m.gone && inBucket[all[i+1]] == key)
			switch {
			case m.answer == denied && !undone:
				w.fail("%q shows %v, of which was said that it has not happened", key, m)
			case below != nil && below.gone && inBucket[m] == key:
			case below == m:
				w.fail("%v is twice in the history of %q", m, key)
			case below != nil && !m.knew(below):
				w.fail("in %q %v is in place of %v, which its author had not seen", key, m, below)
			}
			below = m
			inBucket[m] = key
		}
	}
	for _, key := range w.mem.Keys() {
		switch {
		case slices.Contains(w.keys, key):
		case !isKept(key):
			w.fail("nobody has made %q", key)
		default:
			for _, m := range w.versions(key) {
				// A crash between the landing of a conflict file and the removal of its bytes from the
				// spool makes a second one.
				crashed := w.plan != nil && slices.Contains([]trouble{crash, crashLate, crashAlone}, w.plan.trouble)
				if old := kept[m]; old != "" && !(crashed && w.rivals) {
					w.fail("%v is kept twice: %q and %q", m, old, key)
				}
				// Of a version made by parts, which is not the current one, nobody knows whether it was,
				// nor of any where the bucket refuses to show its history.
				blind := len(m.text) > store.PartSize || w.plan != nil && w.plan.trouble == refusing
				if old, ok := inBucket[m]; ok && !blind {
					w.fail("%v is kept as %q although %q has it", m, key, old)
				}
				name, _, _ := strings.Cut(strings.Replace(key, ".recovered-", ".conflict-", 1), ".conflict-")
				if end := w.now(name); end != nil && end.gone && end.knew(m) {
					w.fail("%v is kept as %q although the file was removed", m, key)
				}
				kept[m] = key
				w.log("kept: %q is %v", key, m)
			}
		}
	}
	if w.plan == nil && len(kept) != w.keeps {
		w.fail("%d files are kept, want %d", len(kept), w.keeps)
	}
	for _, key := range w.keys {
		if name, dir := strings.CutSuffix(key, "/"); dir && w.there(key) != nil && w.there(name) != nil {
			w.fail("%q is a file and a directory", name)
		}
	}
	for _, m := range w.moments {
		if m.owed && m.answer == accepted && !survives(m, inBucket) && !survives(m, kept) && !survives(m.instead, inBucket) && !overtaken(m, inBucket) {
			w.fail("lost: %v", m)
		}
	}
	if n := w.mem.OpenUploads(); n > 0 && !(n == 1 && w.plan != nil && strings.HasPrefix(w.plan.effect.label, "s3 CreateUpload ")) {
		w.fail("%d uploads are left", n) // of one whose id never came nobody knows
	}
}

// survives tells whether a moment is among those, or what was made of it.
func survives(m *moment, all map[*moment]string) bool {
	if m == nil {
		return false
	}
	for v := range all {
		if v.knew(m) {
			return true
		}
	}
	return false
}

// overtaken tells whether a moment has another mode than the one before it and nothing else, and
// somebody else has changed the file who had not seen it: nothing is kept then.
func overtaken(m *moment, inBucket map[*moment]string) bool {
	if m.instead == nil && (len(m.saw) == 0 || m.saw[0].text != m.text) {
		return false
	}
	for v := range inBucket {
		if !v.knew(m) && !m.knew(v) {
			return true
		}
	}
	return false
}

// errnoName gives an error its name in the table of docs/SEMANTICS.md, in the order of that of
// package fs.
func errnoName(err error) string {
	if _, held := errors.AsType[*lockmgr.HeldError](err); held {
		return "EBUSY"
	}
	for _, e := range []struct {
		err  error
		name string
	}{
		{fs.ErrExist, "EEXIST"}, {ErrStale, "ESTALE"}, {ErrConflicted, "ESTALE"}, {reader.ErrChanged, "ESTALE"}, {ErrUnsaved, "EIO"},
		{ErrNoSpace, "ENOSPC"}, {ErrNotEmpty, "ENOTEMPTY"}, {ErrIsDir, "EISDIR"}, {ErrNotDir, "ENOTDIR"}, {lockmgr.ErrAccessDenied, "EACCES"},
		{lockmgr.ErrUnavailable, "EIO"}, {store.ErrUnknownOutcome, "EIO"}, {store.ErrNotFound, "ENOENT"}, {store.ErrConflict, "ESTALE"},
		{store.ErrAccessDenied, "EACCES"}, {store.ErrUnavailable, "EIO"}, {unix.EIO, "EIO"},
	} {
		if errors.Is(err, e.err) {
			return e.name
		}
	}
	return ""
}

// judge tells whether an error may be the answer to what was done.
func (w *sweep) judge(what string, err error) {
	name := errnoName(err)
	disk := w.plan != nil && strings.HasPrefix(w.plan.effect.label, "disk ")
	switch {
	case w.freshly, w.plan == nil && !w.expected && !w.isOver():
	case name == "EIO", name == "EBUSY":
		return
	case name == "EACCES":
		if w.plan != nil && w.plan.trouble == refusing {
			return
		}
	case name == "ENOSPC":
		if disk {
			return
		}
	case name == "ESTALE":
		// Whether an attempt without a lease has overwritten something may not be seen.
		if w.rivals || w.plan != nil && w.plan.trouble == refusing && w.plan.effect.label == "s3 ListVersions" {
			return
		}
	case name == "ENOENT", name == "EEXIST", name == "ENOTEMPTY", name == "EISDIR", name == "ENOTDIR":
		return // whoever asked has looked whether it is true
	}
	w.fail("%s: %s (%v)", what, name, err)
}
