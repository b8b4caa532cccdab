package chaos

import (
	"slices"
	"strings"
)

// replaced: a version lies on the one that its author says to have replaced. Where the ETag is
// the same, S3 cannot see a difference, and a foreign change of metadata or the same bytes put
// back may come in between (the stated limit of G1); another mount's change may not, unless the
// writer was told ESTALE or the log names what was overwritten.
func (h *history) replaced() {
	for key, all := range h.keys {
		if kept(key) {
			continue
		}
		for _, v := range all {
			if v.deleted || v.by == foreigner || v.base == "" {
				continue
			}
			below, base := h.before(v), h.byID[key+" "+v.base]
			nothing := below == nil || below.deleted
			switch {
			case v.base == "-" && nothing, base != nil && base == below:
			case v.base == "-", base == nil, nothing:
				h.wrong("CONDITION BROKEN", key, "%v lies on %v", v, below)
			case base.etag != below.etag:
				h.wrong("CONDITION BROKEN", key, "%v lies on %v, which has other bytes than %v", v, below, base)
			default:
				// What a foreign client overwrote itself is not lost by v, and a request that came
				// twice makes its version twice.
				for between := below; between != base && between.by != foreigner; between = h.before(between) {
					if between.writeID != v.writeID && !h.excused(v, between) {
						h.wrong("LOST UPDATE", key, "%v undoes %v", v, between)
					}
				}
			}
		}
	}
}

// excused tells whether the author of a version was told that something was overwritten, or the
// log names it.
func (h *history) excused(v, lost *version) bool {
	told, acked := false, false
	for _, token := range v.tokens {
		if o := h.wrote[token]; o != nil && h.first[token] == v {
			told, acked = told || o.stale, acked || o.saves(token)
		}
	}
	for _, log := range h.logs {
		if strings.Contains(log, lost.version) {
			return true
		}
	}
	return told && !acked
}

// renamed: a rename removes the version that it copied, and no other mount's change to it.
func (h *history) renamed() {
	for _, e := range h.events {
		if e.Op != "rename" || e.Name == e.To || !e.Told() { // onto itself a rename does nothing
			continue
		}
		var made, removed *version
		for _, v := range h.keys[e.To] {
			if v.by == e.Host && v.kind == "copy" && v.from > e.From && v.till < e.Till {
				made = v
			}
		}
		for _, v := range h.keys[e.Name] {
			if v.by == e.Host && v.deleted && v.from > e.From && v.till < e.Till {
				removed = v
			}
		}
		if made == nil || removed == nil {
			continue // what is so was made by recovery or by another call
		}
		if last := h.before(removed); last != nil && last.version != made.source && last.by != foreigner {
			h.wrong("LOST UPDATE", e.Name, "%v removed %v, and had copied version %.8s", e, last, made.source)
		}
	}
}

// dropped: whoever saves a file without a line that another host wrote has seen that line.
func (h *history) dropped() {
	for key, all := range h.keys {
		if kept(key) {
			continue
		}
		for _, v := range all {
			below := h.before(v)
			if v.by == foreigner || v.kind != "put" || below == nil || below.deleted {
				continue
			}
			base := h.byID[key+" "+v.base] // foreign changes that keep the ETag may lie on it
			if base == nil {
				base = below
			}
			seen, blind, excused := h.seenBy(v, below)
			if blind || excused || h.cutHere(v, base) {
				continue
			}
			for _, token := range below.tokens {
				if author(token) != v.by && !slices.Contains(v.tokens, token) && !seen[token] {
					h.wrong("LOST UPDATE", key, "%v has not line %s of %v, which nobody who wrote it had seen", v, token, below)
				}
			}
		}
	}
}

// seenBy gives what those had seen who wrote the new lines of a version, and those whose lines
// they had seen. blind: one of them began with an empty file, or nobody wrote a line, so that
// nothing had to be seen. excused: nobody was told that the lines are saved, and somebody ESTALE.
func (h *history) seenBy(v, below *version) (seen map[string]bool, blind, excused bool) {
	seen = map[string]bool{}
	var follow func(token string)
	follow = func(token string) {
		o := h.wrote[token]
		if o == nil || o.Host != v.by {
			return
		}
		for _, c := range o.calls {
			if c.Token != token {
				continue
			}
			for _, s := range c.Seen {
				if !seen[s] {
					seen[s] = true
					follow(s)
				}
			}
		}
	}
	blind = true
	told, acked := false, false
	for _, token := range v.tokens {
		o := h.wrote[token]
		if o == nil || slices.Contains(below.tokens, token) {
			continue
		}
		if o.How == "cut" {
			return seen, true, false
		}
		blind = false
		told, acked = told || o.stale, acked || o.saves(token)
		follow(token)
	}
	return seen, blind, told && !acked
}

// cutHere tells whether a program of the host cut the file while the version came about from its
// base: what it saw does not stand in the file.
func (h *history) cutHere(v, base *version) bool {
	for _, e := range h.events {
		if e.Host == v.by && e.Op == "truncate" && e.Name == v.key && mayBeDone(e) && e.From < v.till && e.Till > base.from {
			return true
		}
	}
	for _, o := range h.opens {
		if o.Host != v.by || o.From > v.till || o.ended < base.from || !o.had(v.key, v.till) {
			continue
		}
		if o.How == "cut" || slices.ContainsFunc(o.calls, func(c Event) bool { return c.Op == "cut" && c.From < v.till && c.Till > base.from }) {
			return true
		}
	}
	return false
}
