package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A descriptor is an open file of a program, as the witness knows it.
type descriptor struct {
	*Handle
	m   *mount
	how string
	n   int // tells it from others in the log
	// d is the draft that it shows, pinned the version, if it was opened while there was none.
	d      *draft
	pinned *edition
	wrote  int  // newest stage of the draft that it has made
	busy   int  // calls under way
	told   bool // that there is a conflict, by close or fsync
	owed   int  // newest of its stages of which a close or fsync has said that it is not saved
	closed bool
}

func (x *descriptor) String() string {
	if x.d == nil {
		return fmt.Sprintf("%s of %s", x.how, x.pinned)
	}
	return fmt.Sprintf("%s of %s, which is %q", x.how, x.d, x.d.last().body)
}

// label is how the log calls it.
func (x *descriptor) label() string { return fmt.Sprintf("%s %d", x.how, x.n) }

func (x *descriptor) writes() bool { return x.how != "r" }

// found is what a look at a handle has shown, right after it was opened.
type found struct {
	handle *Handle
	file   *File
	attr   Attr
	live   *live
	// pending: it has something that is not in the bucket.
	pending bool
	key     string
	pinned  store.Base // zero: it follows the file
}

func lookAt(x *Handle, a Attr) found {
	f := x.f
	f.mu.Lock()
	defer f.mu.Unlock()
	got := found{handle: x, attr: a, live: f.core.live(), key: f.core.key}
	if x.pin != nil {
		got.pinned = x.info.Base()
	}
	return got
}

// open opens as a shell would (see host.tryOpen) and gives the descriptor to opened.
func (w *witness) open(m *mount, key, how string, mode uint32, opened func(*descriptor)) {
	r := OpenRequest{Key: key, Read: how == "r" || how == "r+" || how == "c", Write: how != "r" && how != "c", Trunc: how == "w", Append: how == "a"}
	var got found
	o := &op{m: m, kind: "open " + how, key: key}
	o.check = func(o *op) string {
		switch {
		case errors.Is(o.err, fs.ErrExist):
			return w.existed(o)
		case o.err != nil:
			return w.absent(o)
		case how == "c" && w.belowFile(o.key, o):
			return "its directory is a file"
		}
		x, why := w.opened(o, how, mode, got)
		if why == "" {
			opened(x)
		}
		return why
	}
	w.run(o, func(ctx context.Context) (err error) {
		var x *Handle
		var a Attr
		if how == "c" {
			x, a, err = m.Create(ctx, CreateRequest{OpenRequest: r, Mode: mode, UID: 1, GID: 2})
		} else {
			x, a, err = m.Open(ctx, r)
		}
		if err == nil {
			got = lookAt(x, a)
		}
		return err
	})
}

// existed judges an answer that something is there.
func (w *witness) existed(o *op) string {
	for key, h := range w.names {
		if key != o.key && !bytes.HasPrefix([]byte(key), []byte(o.key+"/")) {
			continue
		}
		for _, v := range h.editions[max(h.at(o.start), 0):] {
			if v.there() && v.seq <= o.end {
				return ""
			}
		}
	}
	for _, d := range w.drafts {
		if _, ok := d.place(o.key); (ok || d.below(o.key+"/")) && d.m == o.m {
			return ""
		}
	}
	return "nothing was there"
}

// opened judges an open that went well, and gives the descriptor.
func (w *witness) opened(o *op, how string, mode uint32, got found) (*descriptor, string) {
	w.opens++
	x := &descriptor{Handle: got.handle, m: o.m, how: how, n: w.opens}
	o.x = x
	h := w.history(o.key)
	if !got.pinned.Absent() {
		x.pinned = w.find(o.key, got.pinned)
		if n := h.at(o.start); x.pinned == nil || x.pinned.n < n {
			return nil, fmt.Sprintf("it shows %s, there was %s before it began", x.pinned, h.editions[n])
		}
		return x, ""
	}
	x.d = w.byLive[got.live]
	if got.live == nil { // it has lost its name in this moment
		for _, d := range w.drafts {
			if d.f == got.handle.f {
				x.d = d
			}
		}
	}
	if x.d == nil {
		base := w.find(o.key, got.attr.Base)
		x.d = w.newDraft(o.m, got.handle.f, got.live, o.key, base)
		if how == "c" {
			x.d.stages[0].mode = ModeRegular | mode
		}
	}
	if p, ok := x.d.place(o.key); ok {
		n := h.acked(o.start)
		shown := -1
		if p.base != nil {
			shown = p.base.n
		}
		// A mount that does not know that its own write has landed cannot tell that it was
		// removed since from that it was never there. Neither can one whose file, as far as it
		// knows, grew from nothing tell what came and went: nothing is there, so it is followed
		// (LOCKS P3).
		if shown < n && !(got.attr.Base.Absent() && w.wasAbsent(o.key, o.start, o.end)) && (h.editions[n].there() || p.base.there() && !got.attr.Base.Absent()) {
			return nil, fmt.Sprintf("it grew from %s, and %s was acknowledged before it began", p.base, h.editions[n])
		}
	}
	d := x.d
	switch s := *d.last(); {
	case how == "c":
		s.bytes, s.owed, s.mtime, s.mode = true, true, got.attr.Mtime, ModeRegular|mode
		x.wrote = d.become(w, s, o.start)
	case how == "w" && s.body != "":
		s = s.truncate(0, got.attr.Mtime)
		s.owed = true
		x.wrote = d.become(w, s, o.start)
	case how == "w":
		s.mtime, s.bytes, s.owed = got.attr.Mtime, false, true
		x.wrote = d.become(w, s, o.start)
	}
	return x, ""
}

// write writes through a descriptor.
func (w *witness) write(x *descriptor, text string, off int) {
	d := x.d
	w.logf("write %q at %d of %s on %s (%s)", text, off, x.Key(), x.m.name, x.label())
	n, err := x.Write([]byte(text), int64(off))
	switch {
	case err == nil && n == len(text):
		if x.how == "a" {
			off = len(d.last().body)
		}
		x.wrote = d.become(w, d.last().write(text, off, time.Now()), atOnce)
	default:
		w.refused(x, err)
	}
}

// refused judges why a change through a descriptor was not accepted.
func (w *witness) refused(x *descriptor, err error) {
	switch {
	case errors.Is(err, ErrConflicted):
		w.conflict(x.d, err)
	case x.d.over == "parked" && errors.Is(err, store.ErrAccessDenied), errors.Is(err, ErrNoSpace) && w.diskFails:
	default:
		w.errorf("a change of %s: %v", x.d, err)
	}
}

// setattr changes size or mode through a descriptor that may write.
func (w *witness) setattr(x *descriptor, c Change) {
	d := x.d
	w.logf("%s of %s on %s (%s)", describe(c), x.Key(), x.m.name, x.label())
	a, err := x.SetAttr(x.m.ctx, c)
	if err != nil {
		w.refused(x, err)
		return
	}
	if n, changed := w.changed(d, c, a.Mtime, atOnce); changed {
		x.wrote, d.stages[n].owed = n, c.Size != nil
	}
}
