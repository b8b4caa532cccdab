package chaos

import (
	"slices"

	"golang.org/x/sys/unix"
)

// An opened is the life of a file that a worker had open for write.
type opened struct {
	Event          // its open
	calls  []Event // on it, in order
	names  []named // that it had or may have had
	ended  int64   // when its mount had no more to do with it, as far as can be known
	acked  []ack   // what fsync and close said is saved
	stale  bool    // some call was told ESTALE
	doomed bool    // its mount was killed
}

// A named is a name from some time on.
type named struct {
	name  string
	since int64
}

// An ack is an answer 0 of fsync or close to what was written before.
type ack struct {
	lines []string // in the order of their writing
	at    int64
}

// had tells whether the file had a name, or may have had it, by some time.
func (o *opened) had(name string, by int64) bool {
	return slices.ContainsFunc(o.names, func(n named) bool { return n.name == name && n.since <= by })
}

// shares tells whether two opens may be of one file.
func (o *opened) shares(p *opened) bool {
	return o.Host == p.Host && o.From < p.ended && p.From < o.ended &&
		slices.ContainsFunc(o.names, func(n named) bool { return p.had(n.name, never) })
}

// saves tells whether one of the acks covers a line.
func (o *opened) saves(token string) bool {
	return slices.ContainsFunc(o.acked, func(a ack) bool { return slices.Contains(a.lines, token) })
}

// writes tells whether the bytes of the file were changed through the handle after some time.
func (o *opened) writes(after int64) bool {
	return o.How == "cut" && o.Till > after || slices.ContainsFunc(o.calls, func(c Event) bool {
		return (c.Token != "" || c.Op == "cut") && c.Till > after
	})
}

// pendingLimit is how long a mount may go on with what it could not save at once.
const pendingLimit = 60e9

// lives puts the calls on each open file together.
func (h *history) lives() {
	type id struct {
		host           string
		worker, handle int
	}
	open := map[id]*opened{}
	for _, e := range h.events {
		k := id{e.Host, e.Worker, e.Handle}
		switch o := open[k]; {
		case e.Handle == 0:
		case e.Op == "open" && e.Told():
			o = &opened{Event: e, names: []named{{e.Name, 0}}, ended: never}
			open[k] = o
			h.opens = append(h.opens, o)
		case o != nil:
			h.call(o, e)
		}
	}
	for _, e := range h.events {
		if e.Op != "rename" || !mayBeDone(e) {
			continue
		}
		for _, o := range h.opens {
			if o.Host == e.Host && e.Till > o.From && e.From < o.ended && o.had(e.Name, e.Till) {
				o.names = append(o.names, named{e.To, e.From})
			}
		}
	}
}

// call adds a call to the life of an open file.
func (h *history) call(o *opened, e Event) {
	o.calls = append(o.calls, e)
	o.stale = o.stale || e.Errno == unix.ESTALE
	o.doomed = o.doomed || e.Errno == unix.ENOTCONN || e.Errno == unix.ECONNABORTED
	if e.Token != "" {
		h.wrote[e.Token] = o
	}
	if e.Op == "close" {
		o.ended = e.Till
		if !e.Told() && e.Errno != unix.ESTALE {
			o.ended += pendingLimit
		}
	}
	if e.Told() && !o.stale && (e.Op == "close" && !e.Other || e.Op == "fsync") {
		a := ack{at: e.Till}
		for _, c := range o.calls {
			if c.Token != "" && c.Told() {
				a.lines = append(a.lines, c.Token)
			}
		}
		if len(a.lines) > 0 {
			o.acked = append(o.acked, a)
		}
	}
}

// mayBeDone tells whether a change of names was made, or may have been though it was answered
// with an error.
func mayBeDone(e Event) bool {
	switch e.Errno {
	case unix.ENOENT, unix.EBUSY, unix.EISDIR, unix.ENOTDIR, unix.EEXIST, unix.ENOTEMPTY, unix.ESTALE:
		return false
	}
	return true
}
