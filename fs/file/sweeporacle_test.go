package file

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// checkBucket looks at all that is in the bucket in the end.
func (w *sweep) checkBucket() {
	inBucket := w.checkHistory()
	kept := w.checkKept(inBucket)
	for _, m := range w.moments {
		if m.owed && m.answer == accepted && !survives(m, inBucket) && !survives(m, kept) && !survives(m.instead, inBucket) && !w.overtaken(m, inBucket) {
			w.fail("lost: %v", m)
		}
	}
	// Of an upload whose id never came nobody knows.
	if n := w.mem.OpenUploads(); n > 0 && !(n == 1 && w.plan != nil && strings.HasPrefix(w.plan.effect.label, "s3 CreateUpload ")) {
		w.fail("%d uploads are left", n)
	}
}

// checkHistory checks that each version was put in place of what its author had seen, and returns
// under which key each moment is.
func (w *sweep) checkHistory() map[*moment]string {
	inBucket := map[*moment]string{}
	for _, key := range w.keys {
		var below *moment
		all := w.versions(key)
		for i, m := range all {
			// What is made where it cannot stay is taken back, and the marker of a directory that
			// turns out not to be empty is put back as it was (LOCKS P2).
			isDir := strings.HasSuffix(key, "/")
			undone := i+1 < len(all) && (all[i+1].undoes == m || isDir && m.gone && inBucket[all[i+1]] == key)
			switch {
			case m.answer == denied && !undone:
				w.fail("%q shows %v, of which was said that it has not happened", key, m)
			case isDir && below != nil && below.gone && inBucket[m] == key:
			case below == m:
				w.fail("%v is twice in the history of %q", m, key)
			case below != nil && !m.knew(below):
				w.fail("in %q %v is in place of %v, which its author had not seen", key, m, below)
			}
			below = m
			inBucket[m] = key
		}
		if name, dir := strings.CutSuffix(key, "/"); dir && w.there(key) != nil && w.there(name) != nil {
			w.fail("%q is a file and a directory", name)
		}
	}
	return inBucket
}

// checkKept checks that what is kept beside a file has to be, and returns it.
func (w *sweep) checkKept(inBucket map[*moment]string) map[*moment]string {
	kept := map[*moment]string{}
	for _, key := range w.mem.Keys() {
		switch {
		case slices.Contains(w.keys, key):
			continue
		case !isKept(key):
			w.fail("nobody has made %q", key)
			continue
		}
		m := w.now(key)
		w.log("kept: %q is %v", key, m)
		if why := w.needless(m, key, inBucket, kept); why != "" {
			w.fail("%v is kept as %q although %s", m, key, why)
		}
		kept[m] = key
	}
	if w.plan == nil && len(kept) != w.keeps {
		w.fail("%d files are kept, want %d", len(kept), w.keeps)
	}
	return kept
}

// needless tells why a moment need not be kept; "" if it has to be.
func (w *sweep) needless(m *moment, key string, inBucket, kept map[*moment]string) string {
	p := w.plan
	if p == nil {
		p = &plan{}
	}
	name, _, _ := strings.Cut(strings.Replace(key, ".recovered-", ".conflict-", 1), ".conflict-")
	removed := func(end *moment) bool { return end.gone && end.grewFrom(m) }
	crashed := p.trouble == crash || p.trouble == crashLate || p.trouble == crashAlone
	switch {
	// A crash between the landing of a conflict file and the removal of its bytes from the spool
	// makes a second one.
	case kept[m] != "" && !(crashed && w.rivals):
		return fmt.Sprintf("%q is the same", kept[m])
	// Of a version made by parts, which is not the current one, nobody knows whether it was, nor
	// of any where the bucket refuses to show its history.
	case inBucket[m] != "" && len(m.text) <= store.PartSize && p.trouble != refusing:
		return fmt.Sprintf("%q has it", inBucket[m])
	// A recovery that comes later, or before the removal lands, cannot know of it.
	case p.trouble == crash && slices.ContainsFunc(w.versions(name), removed):
		return "the file was removed"
	}
	return ""
}

// isKept tells whether a key is that of a conflict or recovered file.
func isKept(key string) bool {
	return strings.Contains(key, ".conflict-") || strings.Contains(key, ".recovered-")
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
// somebody else has changed the file who had not seen it, before what was left here was
// recovered: nothing is kept then.
func (w *sweep) overtaken(m *moment, inBucket map[*moment]string) bool {
	if !w.rivals && (w.plan == nil || w.plan.trouble != crashAlone) || m.instead == nil && (len(m.saw) == 0 || m.saw[0].text != m.text) {
		return false
	}
	for v := range inBucket {
		if !v.knew(m) && !m.knew(v) {
			return true
		}
	}
	return false
}

// mustShow checks that what was acknowledged is in the bucket.
func (w *sweep) mustShow(key string, m *moment) {
	if !slices.Contains(w.versions(key), m) {
		w.fail("acknowledged, and not in the bucket under %q: %v; there is %v", key, m, w.now(key))
	}
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
		{fs.ErrExist, "EEXIST"}, {ErrStale, "ESTALE"}, {ErrHalfRenamed, "EBUSY"}, {ErrConflicted, "ESTALE"}, {reader.ErrChanged, "ESTALE"}, {ErrUnsaved, "EIO"},
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
	case name == "EIO":
		return
	case name == "EBUSY": // who has the file open waits for nobody
		if !strings.Contains(what, " writes ") && !strings.Contains(what, " syncs ") && !strings.Contains(what, " closes ") {
			return
		}
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
