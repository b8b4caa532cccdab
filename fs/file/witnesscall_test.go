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
