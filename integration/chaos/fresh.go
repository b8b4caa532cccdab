package chaos

import (
	"slices"

	"golang.org/x/sys/unix"
)

// absentFor is how long a host may believe that a name is absent, which it has just found so: the
// default of --metadata-ttl, and some time for the look-up itself.
const absentFor = 1500e6

// A published is a version that somebody was told is there.
type published struct {
	*version
	at int64
}

// fresh: no open shows a version that is older than one which was acknowledged before the open
// began (SEMANTICS G2). Programs follow a writer on their own host, as long as that has the lease
// (SEMANTICS G3): also if a host that lost it has saved without it meanwhile (LOCKS P5). What the
// writer saves is a conflict then.
func (h *history) fresh() {
	known := h.publications()
	for _, e := range h.events {
		shows := e.Op == "look" || e.Op == "first read"
		absent := (e.Op == "look" || e.Op == "open") && e.Errno == unix.ENOENT
		if !shows && !absent || !absent && (!e.Told() || e.Text != "") {
			continue
		}
		by := e.From
		if absent {
			by -= absentFor
		}
		var newest, newestOfHosts *published
		for _, p := range known[e.Name] {
			if p.at >= by {
				continue
			}
			if newest == nil || p.n > newest.n {
				newest = &p
			}
			if p.by != e.Host && p.by != foreigner && !p.looked && (newestOfHosts == nil || p.n > newestOfHosts.n) {
				newestOfHosts = &p
			}
		}
		writers := h.writersHere(e)
		if len(writers) > 0 || h.changedHere(e) {
			newest = newestOfHosts
		}
		if newest == nil || h.showsAtLeast(e, newest.n, absent) || h.newerHere(e, newest, writers) {
			continue
		}
		h.wrong("STALE OPEN", e.Name, "%v began %.3f s after %v was acknowledged; programs of its host that had the file open for write: %d",
			e, float64(e.From-newest.at)/1e9, newest.version, len(writers))
	}
}

// publications gives what was acknowledged of each name.
func (h *history) publications() map[string][]published {
	known := map[string][]published{}
	tell := func(v *version, at int64) { known[v.key] = append(known[v.key], published{v, at}) }
	for _, o := range h.opens {
		for _, a := range o.acked {
			if v := h.first[a.lines[len(a.lines)-1]]; v != nil && v.from <= a.at {
				tell(v, a.at)
			}
		}
	}
	for _, e := range h.events {
		if !e.Told() || e.Op != "unlink" && e.Op != "rename" {
			continue
		}
		for _, v := range slices.Concat(h.keys[e.Name], h.keys[e.To]) {
			if v.by == e.Host && v.from > e.From && v.till < e.Till && (v.deleted && v.key == e.Name || v.kind == "copy" && v.key == e.To) {
				tell(v, e.Till)
			}
		}
	}
	for _, all := range h.keys {
		for _, v := range all {
			if v.by == foreigner {
				tell(v, v.till)
			}
		}
	}
	return known
}

// showsAtLeast tells whether what an open showed is that version of its name or a newer one.
func (h *history) showsAtLeast(e Event, n int, absent bool) bool {
	made := e.Op == "first read" && e.How != "update" && len(e.Lines) == 0 // the open made the file
	for _, v := range h.keys[e.Name][n:] {
		if v.deleted && (absent || made) || !v.deleted && !absent && slices.Equal(v.tokens, e.Lines) {
			return true
		}
	}
	return false
}

// writersHere gives what programs of the same host had open for write under the name, the
// handle itself left out.
func (h *history) writersHere(e Event) (all []*opened) {
	for _, o := range h.opens {
		mine := o.Worker == e.Worker && o.Handle == e.Handle
		if o.Host == e.Host && !mine && o.From < e.Till && o.ended > e.From && o.had(e.Name, e.Till) {
			all = append(all, o)
		}
	}
	return all
}

// changedHere tells whether another program of the host changed the file by name meanwhile, which
// makes the host hold it for a moment.
func (h *history) changedHere(e Event) bool {
	return slices.ContainsFunc(h.events, func(c Event) bool {
		till := c.Till
		if !c.Told() {
			till += pendingLimit
		}
		return c.Host == e.Host && c.Name == e.Name && (c.Op == "chmod" || c.Op == "truncate") && mayBeDone(c) && c.From < e.Till && till > e.From
	})
}

// grewFromNothing tells whether a file may have been made by an open and not been saved when a
// name became free again: as long as the bucket shows what a live file grew from, its host
// follows it (LOCKS P3).
func (h *history) grewFromNothing(o *opened, p *published) bool {
	saved := slices.ContainsFunc(h.keys[p.key], func(v *version) bool { return v.by == o.Host && v.from > o.From && v.n < p.n })
	return o.Name == p.key && h.throughout(p.key, o.Event) == nil && !saved
}

// newerHere tells whether the host may show what it has not saved yet: a program opened the file
// after that version was there, or the host has put the name on another one since, or cuts it.
func (h *history) newerHere(e Event, p *published, writers []*opened) bool {
	for _, v := range h.keys[e.Name][p.n+1:] {
		if v.by == e.Host && v.from < e.Till {
			return true
		}
	}
	for _, o := range writers {
		if o.Till > p.from || p.deleted && h.grewFromNothing(o, p) {
			return true
		}
	}
	return slices.ContainsFunc(h.events, func(c Event) bool {
		return c.Host == e.Host && c.Op == "truncate" && c.Name == e.Name && mayBeDone(c) && c.Till > p.from && c.From < e.Till
	})
}
