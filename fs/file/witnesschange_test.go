package file

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchfs/latchfs/store"
)

// changed adds the stage that a change makes, if it changes anything.
func (w *witness) changed(d *draft, c Change, at time.Time, from int64) (n int, changed bool) {
	s, changed := d.last().change(c, at)
	if !changed {
		return 0, false
	}
	return d.become(w, s, from), true
}

// change is SETATTR by name: of a draft, if one is live on the mount, else a version of its own.
func (w *witness) change(m *mount, key string, c Change) {
	o := &op{m: m, kind: "setattr", key: key, change: &c}
	w.changes = append(w.changes, o)
	w.logf("%s of %s", describe(c), key)
	var got found
	o.explains = func(v *edition) bool {
		return o.made == nil && v.key == key && slices.ContainsFunc(w.saw(v), func(seen *edition) bool { return makes(seen, v, c) })
	}
	o.keeps = func(v *edition) bool {
		return slices.ContainsFunc(w.history(key).editions, func(b *edition) bool {
			if b.deleted || c.Size == nil {
				return false
			}
			s := stage{body: b.body}.truncate(int(*c.Size), o.began)
			return s.body == v.body || !w.versioned && s.part(v.body)
		})
	}
	o.check = func(o *op) string {
		d := w.byLive[got.live]
		switch {
		case o.err == nil && o.made != nil:
			w.ack(o.made, o.end)
		case o.applied:
		case d != nil && (o.err == nil || has(got.attr, c)):
			w.changed(d, c, got.attr.Mtime, o.start)
		case o.err == nil && !w.already(o, c) && !w.takenFrom(m, key):
			return "nothing was changed"
		case o.err != nil && got.pending && d == nil:
			// It goes on in the background, although it may have landed.
			d = w.newDraft(m, got.file, got.live, key, w.find(key, got.pinned))
			w.changed(d, c, got.attr.Mtime, o.start)
			if o.made != nil {
				d.landed, d.at = len(d.stages)-1, []place{{key, o.made}}
			}
		case o.err != nil:
			return w.absent(o)
		}
		return ""
	}
	w.run(o, func(ctx context.Context) error {
		a, err := m.SetAttr(ctx, key, c)
		got = m.lookUnder(key)
		if err == nil {
			got.attr = a
		}
		return err
	})
}

// lasts tells whether what a change by name was to make may be seen at a moment: while it is under
// way, and later if it was answered with an error that does not say that it has not happened.
func (o *op) lasts(moment int64) bool {
	return o.start <= moment && (o.end == 0 || moment <= o.end || o.loose || errors.Is(o.err, ErrUnsaved) || errors.Is(o.err, store.ErrUnavailable))
}

// has tells whether attributes are as a change has asked, although it has failed since.
func has(a Attr, c Change) bool {
	return (c.Size == nil || a.Size == *c.Size) && (c.Mode == nil || a.Mode&modePerm == *c.Mode)
}

// lookUnder shows what a mount believes of a key.
func (m *mount) lookUnder(key string) (got found) {
	m.mu.Lock()
	f := m.files[key]
	m.mu.Unlock()
	if f == nil {
		return got
	}
	f.mu.Lock()
	defer f.unlock()
	c := &f.core
	return found{file: f, live: c.live(), pending: c.pending(), attr: c.content.attr, pinned: c.content.base.Base()}
}

// makes tells whether an edition is what a change by name makes of another.
func makes(old, v *edition, c Change) bool {
	var s stage
	if old != nil {
		s = stage{body: old.body, mode: old.attr.Mode, mtime: old.attr.Mtime}
	} else {
		s.mode, s.mtime = v.attr.Mode, v.attr.Mtime // a directory without a marker
	}
	if c.Size != nil {
		s = s.truncate(int(*c.Size), v.attr.Mtime)
	}
	if c.Mode != nil {
		s = s.chmod(*c.Mode)
	}
	return s.is(v)
}

// takenFrom tells whether a draft of a mount has lost a name by a call there.
func (w *witness) takenFrom(m *mount, key string) bool {
	return slices.ContainsFunc(w.drafts, func(d *draft) bool {
		_, ok := d.place(key)
		return ok && d.m == m && d.gone
	})
}

// already tells whether a change by name had nothing to change.
func (w *witness) already(o *op, c Change) bool {
	h := w.history(o.key)
	return slices.ContainsFunc(h.editions[max(h.at(o.start), 0):], func(v *edition) bool {
		return v.there() && (c.Size == nil || int64(len(v.body)) == *c.Size) && (c.Mode == nil || v.attr.Mode&modePerm == *c.Mode)
	})
}

func describe(c Change) string {
	if c.Size != nil {
		return fmt.Sprintf("truncate to %d", *c.Size)
	}
	return fmt.Sprintf("chmod %o", *c.Mode)
}
