package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/fs/reader"
)

// read reads all through a descriptor.
func (w *witness) read(x *descriptor) {
	var got string
	o := &op{m: x.m, kind: "read", key: x.Key(), x: x}
	x.busy++
	o.check = func(o *op) string {
		x.busy--
		if o.err != nil || w.shows(x, got, o) {
			return ""
		}
		return fmt.Sprintf("%s reads %q", x, got)
	}
	w.run(o, func(ctx context.Context) error {
		b := make([]byte, 1<<12)
		n, err := x.Read(ctx, b, 0)
		got = string(b[:n])
		if !w.versioned && errors.Is(err, reader.ErrChanged) {
			return fmt.Errorf("%w: %w", ErrStale, err)
		}
		return err
	})
}

// shows tells whether a descriptor may have shown a content during a call (G3).
func (w *witness) shows(x *descriptor, got string, o *op) bool {
	from := x.pinned
	if x.d != nil && x.d.over == "idle" {
		from = x.d.at[0].base // it reads what the file has become
	}
	if from != nil && w.follows(x, from, got, o) {
		return true
	}
	for _, d := range append(w.drafts, x.d) {
		if d == nil || d.f != x.f {
			continue
		}
		for _, c := range w.changes {
			if !c.applied && c.m == x.m && c.start <= o.end && c.lasts(max(o.start, c.start)) {
				if s, _ := d.last().change(*c.change, time.Now()); s.body == got {
					return true
				}
			}
		}
		for j, s := range d.stages {
			last := j == len(d.stages)-1
			if j == d.landed && s.body == got && d.dropped() {
				return true
			}
			same := s.body == got || !w.versioned && !d.lives() && s.part(got) // a conflict whose base is gone
			if same && s.from <= o.end && (last || d.stages[j+1].seq >= o.start) {
				return true
			}
		}
	}
	return false
}

// follows tells whether a content is of the edition that a descriptor has pinned, or of what
// changes by name on the same mount, and renames, have made of it.
func (w *witness) follows(x *descriptor, from *edition, got string, o *op) bool {
	if from.body == got {
		return true
	}
	for _, c := range w.changes {
		if c.m != x.m || c.key != from.key || c.start > o.end || !c.lasts(max(o.start, c.start)) {
			continue
		}
		if s, _ := (stage{body: from.body}).change(*c.change, time.Now()); s.body == got {
			return true
		}
	}
	for key, h := range w.names {
		of, _ := kept(key)
		for _, v := range h.editions {
			if of == from.key && v.by == x.m && v.body == got {
				return true // what was to be made by name has become a conflict file
			}
			if v.seq <= from.seq || v.seq > o.end || v.by != x.m || v.made == nil {
				continue
			}
			changed, renamed := key == from.key && v.made.change != nil, key != from.key && v.source != nil && v.source.key == from.key
			if (changed || renamed) && w.follows(x, v, got, o) {
				return true
			}
		}
	}
	return false
}
