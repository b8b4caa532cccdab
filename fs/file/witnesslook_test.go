package file

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
)

// look checks what has to hold at every moment.
func (w *witness) look() {
	holders := map[string]*mount{}
	for _, m := range w.mounts {
		if m.dead {
			continue
		}
		m.check()
		for _, name := range m.leases.names() {
			if other := holders[name]; other != nil {
				w.errorf("%s and %s both have a valid lease of %q", other.name, m.name, name)
			}
			holders[name] = m
		}
		w.lookForLost(m)
	}
	if w.landed {
		w.landed = false
		w.oneThing()
	}
	if w.calm {
		w.lookForUsers()
	}
	for _, d := range w.drafts {
		if d.over == "" {
			w.lookForEnd(d)
		}
	}
	w.drafts = slices.DeleteFunc(w.drafts, w.settled)
}

// lookForLost checks that a file whose lease is known to be lost is soon looked at, so that a
// program that writes on learns that it is in vain.
func (w *witness) lookForLost(m *mount) {
	if m.cut || m.offline || w.noisy {
		m.calm = time.Now()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.files {
		f.mu.Lock()
		l := f.core.live()
		f.mu.Unlock()
		if l == nil || !isClosed(l.hold.Lost()) || l.ended {
			continue
		}
		since, seen := m.losing[l]
		if !seen {
			m.losing[l] = time.Now()
			continue
		}
		if m.calm.After(since) {
			since = m.calm
		}
		if d := time.Since(since); d > time.Minute && len(f.op) == 0 {
			w.errorf("the lease of %q on %s was lost %v ago, and nobody has looked", f.core.key, m.name, d)
		}
	}
}

// lives tells whether the life of the file is the one of the draft, in this moment.
func (d *draft) lives() bool {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	return d.live != nil && d.f.core.live() == d.live
}

// lookForEnd notes the end of a draft's life, and judges it.
func (w *witness) lookForEnd(d *draft) {
	if d.m.dead {
		d.over, d.ended = "killed", w.now()
		return
	}
	d.f.mu.Lock()
	l, s := d.f.core.live(), d.f.core.state
	d.f.mu.Unlock()
	switch {
	case l != nil && l == d.live:
		return
	case l != nil:
		d.over = idle{}.String()
	default:
		d.over = s.String()
	}
	delete(w.byLive, d.live)
	d.ended = w.now()
	d.refused = d.over == "parked"
	w.logf("over: %s", d)
	switch {
	case d.gone:
	case d.over == "idle" && !d.safe():
		w.errorf("it rests with something that is not saved: %s", d)
	case d.over == "unlinked" && w.taken(d):
		d.gone = true
	case d.over == "unlinked" && w.rested(d):
		d.over = idle{}.String()
	case d.over == "unlinked":
		w.errorf("its name was not taken away: %s", d)
	case d.over == "conflicted" && !w.hasConflict(d):
		w.errorf("nobody else has changed it: %s", d)
	}
}

// taken tells whether a call was to take the name of a draft away, and somebody else did it
// before the outcome was known.
func (w *witness) taken(d *draft) bool {
	return slices.ContainsFunc(w.ops, func(o *op) bool {
		_, ok := d.place(o.key)
		return ok && o.m == d.m && (o.kind == "unlink" || o.kind == "rename") && w.wasAbsent(o.key, o.start, math.MaxInt64)
	})
}

// rested tells whether the life of a draft that has nothing to save ended with its last close, and
// what was under the name then, somebody else's, was removed on the same mount in the same moment.
func (w *witness) rested(d *draft) bool {
	d.f.mu.Lock()
	written := d.f.openForWrite()
	d.f.mu.Unlock()
	return !written && d.safe() && slices.ContainsFunc(d.at, func(p place) bool {
		return slices.ContainsFunc(w.history(p.key).editions, func(v *edition) bool {
			return v.deleted && v.by == d.m && v.seq > d.begun && !p.base.sameTag(v.prev)
		})
	})
}

// settled tells whether nothing more can be said of a draft.
func (w *witness) settled(d *draft) bool {
	switch {
	case d.over == "", d.over == "parked":
		return false
	case d.m.dead && (!d.m.saved || time.Since(d.m.died) < 2*timing.Delay):
		return false // a recovery, or a late request, may still keep something of it
	case d.over == "killed":
		return w.survived(d)
	case !d.gone && !d.safe() && d.unsaved(max(d.landed, d.conflict), len(d.stages)-1):
		return false // its conflict file is still to come
	}
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	// As long as the spool has it, a crash makes a second conflict file of it.
	return d.m.dead || len(d.f.handles) == 0 && d.f.local == nil
}

// survived judges what a recovery has made of a draft (G5).
func (w *witness) survived(d *draft) bool {
	sealed, last := max(d.landed, d.conflict), len(d.stages)-1
	somewhere := max(sealed, d.recovered)
	switch {
	case d.gone, d.unlinking && w.taken(d):
	case d.told && !d.unsaved(sealed, last): // a conflict about what was empty again
	case d.promised > sealed && d.unsaved(sealed, d.promised) && !d.unlinking:
		w.errorf("it was said to be saved later, and was not: stage %d of %s", d.promised, w.all(d))
	case d.unsaved(somewhere, last) && d.local():
		w.errorf("what was written is lost: %s", w.all(d))
	case last > max(somewhere, d.attrs) && !d.last().maybe && !d.refused && !w.hasConflict(d) && d.last().mode != d.stages[max(somewhere, d.attrs)].mode && d.at[0].base.there():
		w.errorf("a change of attributes is lost: %s", w.all(d))
	}
	return true
}

// kill ends a mount and the programs on it.
func (w *witness) kill(m *mount) {
	w.logf("kill %s", m.name)
	for _, d := range w.drafts {
		if d.m != m || d.over != "" && d.over != "parked" && d.over != "conflicted" {
			continue
		}
		delete(w.byLive, d.live)
		d.over, d.ended = "killed", w.now()
		for _, p := range d.at {
			d.unlinking = d.unlinking || slices.ContainsFunc(w.ops, func(o *op) bool { return o.m == m && o.key == p.key && o.kind == "unlink" })
		}
	}
	for _, dead := range w.mounts {
		if dead.recovered == m {
			dead.recovered = nil
		}
	}
	m.kill()
}

// recover lets a mount save what a dead one has left.
func (w *witness) recover(m, dead *mount) {
	dead.recovered = m
	m.recovering = append(m.recovering, dead)
	o := &op{m: m, kind: "recovery", key: dead.name}
	o.check = func(o *op) string {
		dead.recovered = nil
		if o.err == nil {
			dead.saved = true
		}
		return ""
	}
	w.run(o, func(ctx context.Context) error {
		r, err := m.Recovery(dead.dir)
		if err != nil {
			return err
		}
		defer r.Close()
		sids := dead.mgr.Sessions()
		if err := m.mgr.Takeover(ctx, sids, r.Unanswered); err != nil {
			return err
		}
		left, err := r.Run(ctx)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("left %+v", left)
		}
		return m.mgr.Bury(ctx, sids)
	})
}

// oneThing checks that no name is both a file and a directory. A directory that exists only by
// what is in it does not count: that may be made in the same moment, under another lease. Neither
// does what a box on the way has made once more, after it was removed.
func (w *witness) oneThing() {
	for _, key := range w.mem.Keys() {
		if name := lease.Name(key); name != key && w.current(name).ETag != "" {
			if !w.history(name).current().cameBack() && !w.history(key).current().cameBack() {
				w.errorf("%q is a file and a directory", name)
			}
		}
	}
}

// cameBack tells whether what is there grew from what a box on the way has made once more.
func (v *edition) cameBack() bool {
	for ; v.there(); v = v.prev {
		if v.repeated {
			return true
		}
	}
	return false
}

// empty checks that nothing is left on a mount.
func (w *witness) empty(m *mount) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.files) > 0 || m.spool.Used() > 0 {
		w.errorf("on %s are left %d files, %d bytes", m.name, len(m.files), m.spool.Used())
	}
	if names := m.leases.names(); len(names) > 0 {
		w.errorf("on %s are left the leases of %q", m.name, names)
	}
}
