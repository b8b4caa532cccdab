package file

import (
	"fmt"
	"slices"
	"strings"
)

// A landing is a version that has come to be.
type landing struct {
	v    *edition
	said bool // it is in the log
}

func (e *landing) judge(w *witness) string {
	v := e.v
	w.landed = true
	if !e.said {
		e.said = true
		w.logAt(v.at, fmt.Sprintf("  %s by %s", v, v.by))
	}
	if v.deleted {
		for _, o := range w.ops {
			if o.key == v.key && o.m != v.by {
				w.mayMove(o)
			}
		}
	}
	switch of, kind := kept(v.key); {
	case v.by == nil:
		return ""
	case kind != "":
		return w.keptFile(v, of, kind)
	case v.deleted:
		return w.removal(v)
	case w.doubled(v):
		for _, d := range w.drafts {
			for i, p := range d.at {
				if p.key == v.key && d.m == v.by && v.again != nil && p.base.first() == v.again.first() {
					d.at[i].base = v
				}
			}
		}
		return ""
	}
	renamed := v.source != nil && v.source.key != v.key
	if !renamed && w.ofDraft(v) || w.ofOp(v) || w.putBack(v) {
		return ""
	}
	return fmt.Sprintf("%s over %s by %s: nobody there has made this of it%s", v, v.prev, v.by, w.near(v))
}

// doubled tells whether a write was made that had been made, or refused, before. A box on the way
// that repeats a request late is nothing that a condition on the ETag keeps away, if the same
// bytes are there again, or nothing is (G1, limit). Without versions the client cannot tell either
// that a write was there, if somebody has removed it since.
func (w *witness) doubled(v *edition) bool {
	vs := w.history(v.key).editions[:v.n]
	for i := len(vs) - 1; i >= 0; i-- {
		if old := vs[i]; old.id == v.id && (old.req == v.req || !w.versioned && (!v.prev.there() || w.alike(old.prev, v.prev))) {
			v.again, v.repeated = old, true
			return true
		}
	}
	return v.repeated
}

// alike tells whether two editions are the same for whoever has no version ids: the same bytes, put
// back within a second (G1, limit).
func (w *witness) alike(a, b *edition) bool {
	return a.there() && b.there() && a.info.ETag == b.info.ETag && a.info.LastModified.Equal(b.info.LastModified)
}

// first is the edition that the request has made when it was applied first.
func (v *edition) first() *edition {
	if v != nil && v.again != nil {
		return v.again
	}
	return v
}

// near says what is known of the drafts that might have been it, for the reader of a failure.
func (w *witness) near(v *edition) string {
	var b strings.Builder
	for _, d := range w.drafts {
		if _, ok := d.place(v.key); ok && w.authors(v.by, d.m) {
			b.WriteString("\n  " + w.all(d))
		}
	}
	fmt.Fprintf(&b, "\n  it has mtime %v", v.attr.Mtime.Sub(w.began))
	return b.String()
}

// all is what is known of a draft.
func (w *witness) all(d *draft) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, conflict %d, recovered %d, promised %d: at", d, d.conflict, d.recovered, d.promised)
	for _, p := range d.at {
		fmt.Fprintf(&b, " %s on %s", p.key, p.base)
	}
	for i, s := range d.stages {
		fmt.Fprintf(&b, "\n    %d: %q %o %v", i, s.body, s.mode, s.mtime.Sub(w.began))
	}
	return b.String()
}

// authors tells whether what a mount sends may be of a draft on another one: one that it
// recovers.
func (w *witness) authors(by, of *mount) bool {
	return by == of || slices.Contains(by.recovering, of)
}

// ofDraft tells whether a version is a stage of a draft that grew from the one below.
func (w *witness) ofDraft(v *edition) bool {
	for _, d := range w.drafts {
		p, ok := d.place(v.key)
		if !ok || !d.named() || !w.authors(v.by, d.m) {
			continue
		}
		ok, unseen := w.over(p.base, v)
		if !ok {
			continue
		}
		j := d.find(v, d.landed)
		if j < 0 && d.m.dead && v.body == d.stages[d.landed].body {
			// A recovery makes the attributes that were not sealed a version of their own.
			if j = d.findAttr(v); j >= 0 {
				d.attrs = j
				d.at = []place{{v.key, v}}
				return true
			}
		}
		if j < 0 {
			j = w.unanswered(d, v, func(s *stage) bool { return s.is(v) })
		}
		if j < 0 {
			continue
		}
		w.looked(v)
		if unseen && !d.overwrote {
			d.overwrote, d.fine = true, d.landed
		}
		d.landed = j
		d.leave(v.key)
		d.at = append([]place{{v.key, v}}, d.at...)
		return true
	}
	return false
}

// over tells whether a draft that grew from base may have replaced what v did, and whether nobody
// there has seen it. An ETag does not tell the same bytes, put back by somebody else, from those
// that were there (G1, limit); what other mounts do is kept away by the lease, and if there was
// none, it has to be told.
func (w *witness) over(base, v *edition) (ok, unseen bool) {
	if base.first() == v.prev.first() || !base.there() && !v.prev.there() {
		return true, false
	}
	if !base.there() || !v.prev.there() || base.info.ETag != v.prev.info.ETag || base.n > v.prev.n {
		return false, false
	}
	if v.req != nil && !v.req.leased {
		return true, true
	}
	// Without versions, two of one second with the same bytes are the same (G1, limit).
	return v.prev.foreign() || !w.versioned && base.info.LastModified.Equal(v.prev.info.LastModified), false
}

// foreign tells whether somebody else made an edition, or a box that repeats requests.
func (v *edition) foreign() bool { return v.by == nil || v.repeated }

// looked complains if an attempt without a lease had no look before it (LOCKS P5).
func (w *witness) looked(v *edition) {
	if v.req == nil || v.req.leased || v.req.before.op == "Head" && !v.req.before.leased || v.req.before.id == v.req.id {
		return
	}
	w.errorf("%s by %s: an attempt without a lease, and without a look before it", v, v.by)
}

// keptFile judges a conflict or recovered file.
func (w *witness) keptFile(v *edition, of, kind string) string {
	if strings.Contains(v.key, ".ranges") {
		return ""
	}
	// What is kept outside the directory of its file, or in one that is made anew, is its owner's alone.
	mode := func(s *stage) bool { return s.mode == v.attr.Mode || s.mode&^0o077 == v.attr.Mode }
	same := func(s *stage) bool { return s.body == v.body && mode(s) }
	part := func(s *stage) bool { return s.part(v.body) && mode(s) }
	partial := strings.Contains(v.key, ".partial")
	// Of several that it may be, rather the last of one that is nowhere else.
	for _, find := range []func(d *draft) int{
		func(d *draft) int {
			if j := d.findLast(same); !d.safe() && j == len(d.stages)-1 {
				return j
			}
			return -1
		},
		func(d *draft) int { return w.unanswered(d, v, same) },
		func(d *draft) int { return d.findLast(same) },
		func(d *draft) int {
			if !partial || !slices.ContainsFunc(d.at, func(p place) bool { return w.baseGone(d, p.key) }) {
				return -1
			}
			j := d.findLast(part)
			if j < len(d.stages)-1 {
				j = max(j, w.unanswered(d, v, part)) // a truncation may make an earlier stage of the last one
			}
			return j
		},
	} {
		for _, d := range w.drafts {
			if !d.beside(of) || d.over == "idle" || !w.authors(v.by, d.m) {
				continue
			}
			j := find(d)
			switch {
			case j < 0:
				continue
			case kind == ".conflict-":
				d.conflict = max(d.conflict, j)
			default:
				d.recovered = max(d.recovered, j)
			}
			return ""
		}
	}
	for _, o := range w.changes {
		if o.key == of && w.authors(v.by, o.m) && o.lasts(v.seq) && o.keeps(v) {
			return ""
		}
	}
	return fmt.Sprintf("%s by %s: nobody there has written this%s", v, v.by, w.near(&edition{key: of, by: v.by, attr: v.attr}))
}

// findAttr returns the newest stage whose attributes an edition has.
func (d *draft) findAttr(v *edition) int {
	for j := len(d.stages) - 1; j >= d.landed; j-- {
		if s := d.stages[j]; s.mode == v.attr.Mode && s.mtime.Equal(v.attr.Mtime) {
			return j
		}
	}
	return -1
}

// findLast returns the newest stage that a test is true of, -1 if there is none.
func (d *draft) findLast(test func(*stage) bool) int {
	for j := len(d.stages) - 1; j >= 0; j-- {
		if test(&d.stages[j]) {
			return j
		}
	}
	return -1
}

// baseGone tells whether the version that a draft grew from cannot be read any more.
func (w *witness) baseGone(d *draft, key string) bool {
	p, ok := d.place(key)
	return ok && !w.versioned && p.base.there() && w.history(key).current() != p.base
}

// part tells whether a content is that of the stage, but for holes.
func (s *stage) part(body string) bool {
	if len(s.body) != len(body) {
		return false
	}
	for i := range len(body) {
		if body[i] != s.body[i] && body[i] != 0 {
			return false
		}
	}
	return true
}

// removal judges a delete marker.
func (w *witness) removal(v *edition) string {
	o := w.remover(v)
	if o == nil && w.takenBack(v) {
		return ""
	}
	if o == nil {
		return fmt.Sprintf("%s by %s: nobody there has asked for it", v, v.by)
	}
	if !w.seen(v) {
		return fmt.Sprintf("%s by %s has removed %s, which nobody there had seen", v, v.by, v.prev)
	}
	o.removed, v.made = v, o
	if slices.Contains(w.late, o) {
		v.repeated = true // whoever was told of the removal before has nothing to do with it
		return ""
	}
	for _, d := range w.drafts {
		if d.m != v.by || !d.stood(v.prev) {
			continue
		}
		if o.kind == "rename" && o.made != nil {
			d.leave(o.to)
			d.at = append(d.at, place{o.to, o.made})
		} else {
			d.gone = true
		}
	}
	return ""
}

// stood tells whether what was removed, or has another name, is the version that a draft grew from,
// or what the condition cannot tell from it: the file that is open there has lost its name with it.
// From another version the file was parted before.
func (d *draft) stood(v *edition) bool {
	p, ok := d.place(v.key)
	return ok && d.named() && p.base.sameTag(v)
}

// sameTag tells whether the condition on an ETag cannot tell two editions apart.
func (v *edition) sameTag(o *edition) bool {
	return v.first() == o.first() || v.there() && o.there() && v.info.ETag == o.info.ETag
}

// seen tells whether the mount had seen what its request has removed.
func (w *witness) seen(v *edition) bool {
	same := func(saw *edition) bool {
		switch {
		case saw.first() == v.prev.first():
			return true
		case !saw.there() || saw.info.ETag != v.prev.info.ETag:
			return false
		}
		return v.prev.foreign()
	}
	for _, d := range w.drafts {
		if p, ok := d.place(v.key); ok && d.m == v.by && same(p.base) {
			return true
		}
	}
	return v.req != nil && same(v.req.before.saw)
}
