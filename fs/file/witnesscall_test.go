package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// An op is a call that may wait.
type op struct {
	m     *mount
	kind  string
	key   string
	to    string      // of a rename
	x     *descriptor // that it is about, or has opened
	start int64
	began time.Time
	end   int64 // 0 while it is under way
	err   error
	// loose: its outcome is not known, or its mount died meanwhile.
	loose bool
	// check judges the answer, why not; "" if all is well.
	check func(o *op) string
	// explains tells whether a version may be what it makes.
	explains func(v *edition) bool
	// keeps tells whether a conflict or recovered file may be of what it was to make.
	keeps func(v *edition) bool

	made, removed *edition
	// change is what a SETATTR by name is to make; applied: of a draft, as was seen.
	change  *Change
	applied bool
}

func (o *op) String() string {
	name := o.key
	if o.to != "" {
		name += " to " + o.to
	}
	if o.x != nil {
		name += " (" + o.x.label() + ")"
	}
	return fmt.Sprintf("%s %s on %s", o.kind, name, o.m.name)
}

// run makes a call in a goroutine of its own. do returns what it was told, and what is to be
// judged once all that happened until then is known.
func (w *witness) run(o *op, do func(ctx context.Context) error) {
	o.began = time.Now()
	o.start = w.now()
	w.ops = append(w.ops, o)
	w.logf("%s", o)
	go func() {
		err := do(o.m.ctx)
		w.mu.Lock()
		defer w.mu.Unlock()
		o.err, o.end = err, w.noteLocked(o)
	}()
}

// judge is that of its end.
func (o *op) judge(w *witness) string {
	if o.m.dead { // and its program with it
		o.loose = true
		return ""
	}
	if w.calm {
		w.uses(o, o.key, o.to)
	}
	if o.err != nil && (!allowed(o.err) || w.calm && !w.excused(o)) {
		return fmt.Sprintf("%s: %v", o, o.err)
	}
	if why := o.check(o); why != "" {
		return fmt.Sprintf("%s: %s (answer %v)", o, why, o.err)
	}
	w.logf("%s: %v", o, o.err)
	w.count(o)
	if errors.Is(o.err, store.ErrUnknownOutcome) {
		o.loose = true
		return ""
	}
	w.ops = slices.DeleteFunc(w.ops, func(p *op) bool { return p == o })
	if o.err == nil && o.removed == nil && slices.Contains([]string{"unlink", "rmdir", "rename"}, o.kind) {
		w.late = append(w.late, o)
	}
	return ""
}

// count notes which calls went well, for the end of the test.
func (w *witness) count(o *op) {
	what := o.kind
	switch {
	case o.err == nil:
	case errors.Is(o.err, ErrConflicted):
		what += " conflict"
	case errors.Is(o.err, ErrUnsaved):
		what += " unsaved"
	default:
		what += " failed"
	}
	w.counts[what]++
}

// allowed tells the errors that a call may have in a world where everything may go wrong.
func allowed(err error) bool {
	if _, held := errors.AsType[*lockmgr.HeldError](err); held {
		return true
	}
	for _, e := range []error{
		store.ErrNotFound, fs.ErrExist, ErrIsDir, ErrNotDir, ErrNotEmpty, ErrStale, ErrHalfRenamed, ErrConflicted, ErrUnsaved,
		store.ErrUnavailable, store.ErrUnknownOutcome, store.ErrAccessDenied, lockmgr.ErrUnavailable,
		store.ErrNotPermitted,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// excused tells whether a call may have failed in a world where nothing goes wrong: because of
// what is or was under the name, or because somebody else had it meanwhile.
func (w *witness) excused(o *op) bool {
	if _, held := errors.AsType[*lockmgr.HeldError](o.err); held || errors.Is(o.err, ErrUnsaved) {
		keys := []string{dirOf(o.key), dirOf(o.to)} // whoever makes a name waits for that of its directory
		if held {
			keys = append(keys, o.key, o.to)
		}
		for _, key := range keys {
			for who, until := range w.busy[lease.Name(key)] {
				if who != any(o) && !until.Add(staleLinger).Before(o.began) {
					return true
				}
			}
		}
		return false
	}
	for _, e := range []error{store.ErrUnavailable, store.ErrUnknownOutcome, store.ErrAccessDenied, lockmgr.ErrUnavailable, ErrUnsaved} {
		if errors.Is(o.err, e) {
			return false
		}
	}
	return true
}

func dirOf(key string) string { return key[:strings.LastIndexByte(lease.Name(key), '/')+1] }

// lookForUsers notes who uses which name at this moment.
func (w *witness) lookForUsers() {
	for _, d := range w.drafts {
		for _, p := range d.at {
			if d.over == "" {
				w.uses(d, p.key)
			}
		}
	}
	for _, o := range w.ops {
		w.uses(o, o.key, o.to)
	}
}

func (w *witness) uses(who any, keys ...string) {
	for _, key := range keys {
		name := lease.Name(key)
		if w.busy[name] == nil {
			w.busy[name] = map[any]time.Time{}
		}
		w.busy[name][who] = time.Now()
	}
}

// ofOp tells whether a version is what a call under way makes.
func (w *witness) ofOp(v *edition) bool {
	for _, o := range slices.Backward(w.ops) { // rather the one that somebody waits for
		if v.by != o.m && (o.change == nil || !w.authors(v.by, o.m)) { // what a recovery makes is of a file
			continue
		}
		if o.explains == nil || v.req.sent < o.start || !o.explains(v) {
			continue
		}
		o.made, v.made = v, o
		if o.kind == "rename" {
			// The file that it replaces on the same mount is not under the name any more.
			for _, d := range w.drafts {
				if _, ok := d.place(o.to); ok && d.m == o.m && d.named() {
					d.gone = true
				}
			}
			if w.wasAbsent(o.key, v.seq, math.MaxInt64) {
				w.mayMove(o)
			}
		}
		return true
	}
	return false
}

// remover finds the call that a delete marker is of.
func (w *witness) remover(v *edition) *op {
	for _, o := range slices.Backward(w.ops) {
		if o.key == v.key && o.m == v.by && o.removed == nil && o.start < v.req.sent && (o.kind == "unlink" || o.kind == "rmdir" || o.kind == "rename" && o.made != nil) {
			return o
		}
	}
	for _, o := range w.late { // nothing was there, and then the same bytes again (G1, limit)
		if o.key == v.key && o.m == v.by && o.removed == nil && o.start < v.req.sent && v.req.sent < o.end && v.prev.foreign() {
			return o
		}
	}
	return nil
}

// underway tells whether a call concerns a key of a mount.
func (w *witness) underway(m *mount, key string, kinds ...string) bool {
	return slices.ContainsFunc(w.ops, func(o *op) bool {
		return o.m == m && !o.loose && (o.key == key || o.to == key) && (len(kinds) == 0 || slices.Contains(kinds, o.kind))
	})
}

// Rename and Unlink: what is acknowledged is in the bucket.

func (w *witness) unlink(m *mount, key string) {
	o := &op{m: m, kind: "unlink", key: key}
	o.check = func(o *op) string { return w.removed(o) }
	w.run(o, func(ctx context.Context) error { return m.Unlink(ctx, key, nil) })
}

func (w *witness) rmdir(m *mount, key string) {
	o := &op{m: m, kind: "rmdir", key: key}
	o.check = func(o *op) string {
		if o.err == nil && o.removed == nil {
			return "" // a directory without a marker
		}
		return w.removed(o)
	}
	w.run(o, func(ctx context.Context) error { return m.Rmdir(ctx, key, nil) })
}

// removed judges the answer to a removal.
func (w *witness) removed(o *op) string {
	switch {
	case o.err != nil:
		return w.absent(o)
	case o.removed != nil:
		w.ack(o.removed, o.end)
		return ""
	}
	// It was only here, or somebody else has removed it meanwhile.
	found := false
	for _, d := range w.drafts {
		if _, ok := d.place(o.key); ok && d.m == o.m && d.begun < o.end && d.named() {
			d.gone, found = true, true
		}
	}
	if !found && !w.wasAbsent(o.key, o.start, o.end) {
		return "nothing was removed"
	}
	return ""
}

// absent judges an answer that nothing is there.
func (w *witness) absent(o *op) string {
	if errors.Is(o.err, store.ErrNotFound) && !w.wasAbsent(o.key, o.start, o.end) {
		return fmt.Sprintf("there was %s", w.history(o.key).current())
	}
	return ""
}

// wasAbsent tells whether nothing was under a key at a moment between two.
func (w *witness) wasAbsent(key string, start, end int64) bool {
	h := w.history(key)
	n := h.at(start)
	return n < 0 || slices.ContainsFunc(h.editions[n:], func(v *edition) bool { return v.deleted && v.seq <= end })
}

func (w *witness) rename(m *mount, from, to string, noReplace bool) {
	o := &op{m: m, kind: "rename", key: from, to: to}
	o.explains = func(v *edition) bool {
		w.sourceOf(v, from)
		return len(w.saw(v)) > 0 && o.made == nil && v.key == to && v.source.there() && v.source.key == from && w.sourced(v) && !(noReplace && v.prev.there())
	}
	o.check = func(o *op) string {
		switch {
		case o.err != nil:
			if !errors.Is(o.err, store.ErrUnknownOutcome) {
				w.stays(o)
			}
			return w.absent(o)
		case w.belowFile(o.to, o):
			return "the directory of its new name is a file"
		case o.made == nil:
			return "nothing was made of it"
		case o.removed == nil && !w.wasAbsent(from, o.start, o.end):
			return "its old name is still there"
		}
		w.ack(o.made, o.end)
		if o.removed != nil {
			w.ack(o.removed, o.end)
		}
		for _, d := range w.drafts {
			if p, ok := d.place(to); ok && d.m == m && d.named() && p.base == o.made {
				d.leave(from)
			}
		}
		return ""
	}
	w.run(o, func(ctx context.Context) error { return m.Rename(ctx, from, to, noReplace, nil) })
}

// renames tells whether a call is a rename that was not, or may never be, answered with success.
func (o *op) renames() bool { return o != nil && o.kind == "rename" && (o.end == 0 || o.err != nil) }

// mayMove notes that what a rename has copied and was to remove is gone already: whoever did it,
// the file that is open under the old name on the mount of the rename has the new one, or will
// have it.
func (w *witness) mayMove(o *op) {
	if o.kind != "rename" || o.made == nil || o.removed != nil {
		return
	}
	for _, d := range w.drafts {
		if d.m == o.m && d.stood(o.made.source) {
			d.leave(o.to)
			d.at = append(d.at, place{o.to, o.made})
		}
	}
}

// stays takes that back: the rename has failed.
func (w *witness) stays(o *op) {
	for _, d := range w.drafts {
		if p, ok := d.place(o.to); ok && d.m == o.m && len(d.at) > 1 && p.base == o.made {
			d.leave(o.to)
		}
	}
}

// belowFile tells whether what is above a key was a file, and no directory, all the time of a call:
// then nothing can be made there.
func (w *witness) belowFile(key string, o *op) bool {
	i := strings.LastIndexByte(lease.Name(key), '/')
	if i < 0 || w.wasAbsent(key[:i], o.start, o.end) {
		return false
	}
	for inside, h := range w.names {
		if !strings.HasPrefix(inside, key[:i+1]) {
			continue
		}
		for _, v := range h.editions[max(h.at(o.start), 0):] {
			if v.there() && v != o.made && v.seq < o.end {
				return false
			}
		}
	}
	return true
}

// sourceOf finds what an empty file was renamed from where the copy of one is a PUT.
func (w *witness) sourceOf(v *edition, from string) {
	if v.source != nil || v.body != "" || !w.flaws.Has(store.CopyConditions) {
		return
	}
	for _, s := range w.history(from).editions {
		if s.there() && s.body == "" && s.attr.Mode == v.attr.Mode && s.attr.Mtime.Equal(v.attr.Mtime) {
			v.source = s
		}
	}
}

// sourced tells whether a copy has content and attributes of its source, or, without versions, the
// attributes of what the condition cannot tell from it (G1, limit).
func (w *witness) sourced(v *edition) bool {
	return slices.ContainsFunc(w.history(v.source.key).editions, func(s *edition) bool {
		return (s == v.source || !w.versioned && s.sameTag(v.source)) &&
			s.body == v.body && s.attr.Mode == v.attr.Mode && s.attr.Mtime.Equal(v.attr.Mtime)
	})
}

// saw gives the editions that the author of one may have seen: what it replaced, if that is what
// he says, or what the condition cannot tell from it (G1, limit). It is nil alone if nothing was
// there, and empty if he replaced something else.
func (w *witness) saw(v *edition) (seen []*edition) {
	if v.base == "-" || !v.prev.there() {
		if v.base == "-" && !v.prev.there() {
			seen = append(seen, nil)
		}
		return seen
	}
	for _, old := range slices.Backward(w.history(v.key).editions[:v.n]) {
		if old.there() && name(old) == v.base && (old == v.prev || old.info.ETag == v.prev.info.ETag && v.prev.foreign()) {
			seen = append(seen, old)
		}
	}
	return seen
}

// name is what metadata call a version.
func name(v *edition) string {
	if v.info.VersionID != "" {
		return v.info.VersionID
	}
	return v.info.ETag
}

func (w *witness) mkdir(m *mount, key string, mode uint32) {
	w.makes(&op{m: m, kind: "mkdir", key: key}, "", ModeDir|mode, func(ctx context.Context) error {
		_, err := m.Mkdir(ctx, key, mode, 1, 2)
		return err
	})
}

func (w *witness) symlink(m *mount, key, target string) {
	w.makes(&op{m: m, kind: "symlink", key: key}, target, ModeSymlink|0o777, func(ctx context.Context) error {
		_, err := m.Symlink(ctx, SymlinkRequest{Key: key, Target: target, UID: 1, GID: 2})
		return err
	})
}

func (w *witness) makes(o *op, body string, mode uint32, do func(context.Context) error) {
	o.explains = func(v *edition) bool {
		return o.made == nil && v.key == o.key && v.body == body && v.attr.Mode == mode && !v.prev.there()
	}
	o.check = func(o *op) string {
		switch {
		case o.err == nil && w.belowFile(o.key, o):
			return "its directory is a file"
		case o.err == nil && o.made == nil:
			return "nothing was made"
		case o.err == nil:
			w.ack(o.made, o.end)
		}
		return ""
	}
	w.run(o, do)
}
