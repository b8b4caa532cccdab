package file

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/fs/lease"
)

// flush is close(2), and with defers one of a process that holds another descriptor.
func (w *witness) flush(x *descriptor, kind string, defers bool) {
	d := x.d
	o := &op{m: x.m, kind: kind, key: x.Key(), x: x}
	x.busy++
	all, own := 0, x.wrote
	if d != nil {
		all = len(d.stages) - 1
	}
	o.check = func(o *op) string {
		if d == nil || defers && !errors.Is(o.err, ErrConflicted) { // it tells only what failed before
			x.busy--
			if d != nil && o.err == nil && x.owed > d.landed && d.lives() {
				return fmt.Sprintf("stage %d is not in the bucket, and this is not told again: %s", x.owed, d)
			}
			return ""
		}
		why := w.saved(d, o, all, own, kind == "fsync" || x.writes())
		if why == "" {
			x.busy--
		}
		return why
	}
	w.run(o, func(ctx context.Context) error {
		if kind == "fsync" {
			return x.Sync(ctx)
		}
		c := Caller{}
		if defers {
			c = Caller{PID: deferring, Dev: 45, Ino: 5}
		}
		err := x.Flush(ctx, c)
		if kind == "close" {
			x.Release()
		}
		return err
	})
}

// saved judges the answer to a close or fsync that asked for the stages up to all, of which the
// caller has made own.
func (w *witness) saved(d *draft, o *op, all, own int, asks bool) string {
	landed := d.landed
	switch {
	case d.over == "idle" && o.err != nil: // of a later life, which it follows
		return ""
	case errors.Is(o.err, ErrConflicted):
		o.x.told = true
		return w.conflict(d, o.err)
	case o.err != nil:
		if errors.Is(o.err, ErrUnsaved) {
			d.promised = max(d.promised, all)
			o.x.owed = own
		}
		return ""
	case d.gone || !asks || !d.lives() && w.taken(d):
		return ""
	case landed < own:
		return fmt.Sprintf("stage %d is not in the bucket: %s", own, d)
	case landed < all && d.lives():
		return fmt.Sprintf("stage %d is not in the bucket: %s", all, d)
	case d.overwrote && (!o.x.told || own > d.fine):
		return fmt.Sprintf("nobody is told of what was overwritten: %s", d)
	}
	for _, p := range d.at {
		switch {
		case !p.base.there() || d.landed == 0:
		case p.base.req != nil && !p.base.req.leased: // whoever has the lease meanwhile does not see it (G2 ends there)
		case p.base.made.renames(): // until that has its answer the file may have its old name
		default:
			w.ack(p.base, o.end)
		}
	}
	return ""
}

// conflict judges what somebody is told of a conflict.
func (w *witness) conflict(d *draft, err error) string {
	var c *ConflictError
	if !errors.As(err, &c) {
		return ""
	}
	d.told = true
	if v := w.history(c.Kept).current(); c.Kept != "" && v != nil {
		d.conflict = max(d.conflict, d.findLast(func(s *stage) bool { return s.body == v.body && s.mode == v.attr.Mode }))
	}
	if v := w.history(c.Kept).current(); c.Kept != "" && (v == nil || d.conflict < len(d.stages)-1 && d.unsaved(d.conflict, len(d.stages)-1)) {
		return fmt.Sprintf("kept %s of %s", v, d)
	}
	// Whoever has made an attempt without a lease looks below what has landed, also if that was a later one.
	d.overran = d.overran || slices.ContainsFunc(d.at, func(p place) bool {
		return c.Over != "" && p.base.there() && p.base.prev.there() && p.base.prev.by != d.m && p.base.prev.info.VersionID == c.Over
	})
	if !w.hasConflict(d) {
		return fmt.Sprintf("there is no conflict: %s", d)
	}
	return ""
}

// hasConflict tells whether somebody else may have changed what a draft grew from: on another
// mount, or without one, or because the lease was lost.
func (w *witness) hasConflict(d *draft) bool {
	for _, p := range d.at {
		if d.m.leases.everLost(lease.Name(p.key)) || d.overwrote || d.overran || d.displaced || w.contested(d, p) || !p.base.there() && w.becameDir(p.key) {
			return true
		}
		n := 0
		if p.base != nil {
			n = p.base.n + 1
		}
		if slices.ContainsFunc(w.history(p.key).editions[n:], func(v *edition) bool {
			return v.by != d.m || v.repeated || v.made != nil && v.made.err != nil
		}) {
			return true
		}
	}
	return false
}

// becameDir tells whether there ever was anything below a name.
func (w *witness) becameDir(name string) bool {
	for key := range w.names {
		if strings.HasPrefix(key, name+"/") {
			return true
		}
	}
	return false
}
