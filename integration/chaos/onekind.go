package chaos

import (
	"path"
	"slices"
	"strings"
)

// oneKind: a name is one thing, a file or a directory, and whoever makes, replaces or removes one
// looks at what any host has made there (SEMANTICS "Names", LOCKS P2).
func (h *history) oneKind() {
	for _, name := range h.names {
		for _, file := range h.keys[name] {
			if file.deleted {
				continue
			}
			for _, dir := range h.keys[name+"/"] {
				if !dir.deleted && h.overlap(file, dir) {
					h.wrong("TWO KINDS", name, "%v and %v are there at the same time", file, dir)
				}
			}
			h.bothInside(name, file)
		}
		h.bare(name)
	}
	for _, e := range h.events {
		h.madeOver(e)
		h.removedFull(e)
	}
}

// madeOver: what a call makes is not made over another thing, nor below a file.
func (h *history) madeOver(e Event) {
	name := e.makes()
	if name == "" {
		return
	}
	file, dir := h.throughout(name, e), h.throughout(name+"/", e)
	for key := range h.keys {
		if dir == nil && strings.HasPrefix(key, name+"/") {
			dir = h.throughout(key, e)
		}
	}
	anew := e.Op == "mkdir" || e.How == "new"
	switch {
	case anew && file != nil:
		h.wrong("MADE OVER ANOTHER", name, "%v, where all the time there is %v", e, file)
	case dir != nil && (anew || !h.perhaps(name, e)):
		h.wrong("MADE OVER ANOTHER", name, "%v, where all the time there is a directory: %v", e, dir)
	}
	parent := path.Dir(name)
	if file := h.throughout(parent, e); file != nil && len(h.writersHere(e)) == 0 && !h.perhapsInside(parent, e) {
		h.wrong("BELOW A FILE", parent, "%v, where all the time there is %v and nothing inside", e, file)
	}
}

// makes gives the name that a call made a file or a directory of; "" if it made none.
func (e Event) makes() string {
	switch {
	case e.Told() && (e.Op == "open" || e.Op == "mkdir"):
		return e.Name
	case e.Told() && e.Op == "rename" && e.Name != e.To:
		return e.To
	}
	return ""
}

// removedFull: a directory is not removed while something is inside, nor by two.
func (h *history) removedFull(e Event) {
	if e.Op != "rmdir" || !e.Told() {
		return
	}
	for key := range h.keys {
		if v := h.throughout(key, e); v != nil && strings.HasPrefix(key, e.Name+"/") && key != e.Name+"/" {
			h.wrong("FULL DIRECTORY REMOVED", e.Name, "%v, where all the time there is %v", e, v)
		}
	}
	if h.perhaps(e.Name+"/", e) || h.perhapsInside(e.Name, e) {
		return
	}
	for _, v := range h.keys[e.Name+"/"] {
		if v.deleted && v.till < e.From {
			h.wrong("REMOVED TWICE", e.Name, "%v, and all the time nothing is there: %v", e, v)
			return
		}
	}
}

// atTheEnd is before what never happens, and after everything else.
const atTheEnd = never - 1

// bothInside: what is inside a name makes it a directory, so that no file has the name. Whoever
// finds another thing there after his write may take his own back, as long as nobody was told.
func (h *history) bothInside(name string, file *version) {
	for _, in := range h.inside(name) {
		_, told := h.making(in)
		if max(told, in.till, file.till) < min(h.gone(in), h.gone(file)) && !h.keptInside(name, h.gone(in)) {
			h.wrong("TWO KINDS", name, "%v and, inside, %v are there at the same time", file, in)
		}
	}
}

// bare: what is made in a directory and what removes that directory are not both answered with 0,
// so that in the end something is inside a directory without its mode.
func (h *history) bare(name string) {
	for _, rmdir := range h.events {
		if rmdir.Op != "rmdir" || rmdir.Name != name || !rmdir.Told() {
			continue
		}
		for _, marker := range h.keys[name+"/"] {
			if !marker.deleted || marker.by != rmdir.Host || marker.from < rmdir.From || marker.till > rmdir.Till || h.last(marker.key) != marker {
				continue
			}
			for _, in := range h.inside(name) {
				if began, told := h.making(in); began < marker.from && told < atTheEnd && h.gone(in) == never {
					h.wrong("IN NO DIRECTORY", name, "%v and %v, and both were answered with 0", in, rmdir)
				}
			}
		}
	}
}

// making tells when the call began that made what a version is the first of, and when its author
// was told that it is there; atTheEnd: he was not.
func (h *history) making(v *version) (began, told int64) {
	began, told = v.from, atTheEnd
	for _, e := range h.events {
		if e.Host == v.by && (e.makes() == v.key || e.makes()+"/" == v.key) && e.Op != "open" && e.From < v.from && v.till < e.Till {
			return e.From, e.Till
		}
	}
	for _, o := range h.opens {
		if o.Host != v.by || !o.had(v.key, v.till) || o.From > v.from {
			continue
		}
		for _, token := range v.tokens {
			if h.first[token] != v || h.wrote[token] != o {
				continue
			}
			began = min(began, o.From)
			for _, a := range o.acked {
				if slices.Contains(a.lines, token) {
					told = min(told, a.at)
				}
			}
		}
	}
	return began, told
}

// inside gives the versions of keys inside a name. What is kept beside a file is none: it has to
// be somewhere, whatever became of the directory (SEMANTICS G5).
func (h *history) inside(name string) (all []*version) {
	for key, versions := range h.keys {
		if !strings.HasPrefix(key, name+"/") || key == name+"/" || kept(key) {
			continue
		}
		for _, v := range versions {
			if !v.deleted {
				all = append(all, v)
			}
		}
	}
	return all
}

// keptInside tells whether a kept file makes a directory of a name before some time.
func (h *history) keptInside(name string, till int64) bool {
	for key, all := range h.keys {
		if kept(key) && strings.HasPrefix(key, name+"/") && all[0].from < till {
			return true
		}
	}
	return false
}

// overlap tells whether two versions are surely there at one time: each is from its answer to the
// beginning of the request that removes it.
func (h *history) overlap(v, w *version) bool {
	return max(v.till, w.till) < min(h.gone(v), h.gone(w))
}

// gone gives when the request began that deleted what a version is of.
func (h *history) gone(v *version) int64 {
	for _, w := range h.keys[v.key][v.n+1:] {
		if w.deleted {
			return w.from
		}
	}
	return never
}

// throughout gives what is surely under a key from the beginning of a call to its end.
func (h *history) throughout(key string, e Event) *version {
	for _, v := range h.keys[key] {
		if !v.deleted && v.till < e.From && h.gone(v) > e.Till {
			return v
		}
	}
	return nil
}

// perhaps tells whether something may be under a key at some time of a call.
func (h *history) perhaps(key string, e Event) bool {
	for _, v := range h.keys[key] {
		if v.deleted || v.from > e.Till {
			continue
		}
		gone := int64(never)
		for _, w := range h.keys[key][v.n+1:] {
			if w.deleted {
				gone = w.till
				break
			}
		}
		if gone > e.From {
			return true
		}
	}
	return false
}

// perhapsInside tells whether anything may be inside a name at some time of a call, beside what
// the call made itself.
func (h *history) perhapsInside(name string, e Event) bool {
	for key, all := range h.keys {
		if !strings.HasPrefix(key, name+"/") || !h.perhaps(key, e) {
			continue
		}
		if own := all[0]; key != e.makes() && key != e.makes()+"/" || own.by != e.Host || own.from < e.From {
			return true
		}
	}
	return false
}
