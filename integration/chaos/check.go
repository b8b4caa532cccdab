package chaos

import "slices"

// check holds the history against what everybody was told.
func (h *history) check() {
	h.whole()
	h.oneKind()
	h.replaced()
	h.renamed()
	h.dropped()
	h.saved()
	h.attributes()
	h.keptModes()
	h.fresh()
}

// whole: nobody sees or saves a mixture of what several had written.
func (h *history) whole() {
	for _, e := range h.events {
		if e.Text != "" {
			h.wrong("MIXTURE", e.Name, "%s shows %.200q", e, e.Text)
		}
	}
	for _, all := range h.keys {
		for _, v := range all {
			if v.torn != nil {
				h.wrong("MIXTURE", v.key, "%v: %v in %.200q", v, v.torn, v.content)
			}
		}
	}
}

// saved: what close or fsync answered 0 for is a version at that time, and what write accepted
// is a version or stands in a kept file, unless the host itself took it away again.
func (h *history) saved() {
	there := map[string]bool{}
	for _, all := range h.keys {
		for _, v := range all {
			for _, token := range v.tokens {
				there[token] = true
			}
		}
	}
	for _, o := range h.opens {
		for _, a := range o.acked {
			last := a.lines[len(a.lines)-1]
			v := h.first[last]
			switch {
			case v != nil && v.from <= a.at, h.tookAway(o, last):
			case v != nil:
				h.broke("ACKNOWLEDGED TOO EARLY", o, "line %s came with %v, after the call that had said so: %v", last, v, o)
			case there[last]:
				h.broke("ACKNOWLEDGED BESIDE", o, "line %s is only in a kept file: %v", last, o)
			default:
				h.broke("ACKNOWLEDGED AND LOST", o, "line %s is nowhere: %v", last, o)
			}
		}
		if last := o.accepted(); last != "" && !there[last] && !h.tookAway(o, last) {
			h.broke("ACCEPTED AND LOST", o, "line %s is nowhere: %v", last, o)
		}
	}
}

// accepted gives the last line that write(2) took and nothing on the handle took back; "" if
// there is none. A mapping accepts nothing before fsync or close.
func (o *opened) accepted() (last string) {
	for _, c := range o.calls {
		switch {
		case c.Op == "cut", c.Op == "map", c.Op == "rewrite" && !c.Told():
			last = ""
		case c.Token != "" && c.Told():
			last = c.Token
		}
	}
	return last
}

// tookAway tells whether the writer's host itself may have taken a line away: by removing the
// name or renaming another file over it, by cutting the file, or by writing through another
// handle.
func (h *history) tookAway(o *opened, token string) bool {
	var at int64
	for _, c := range o.calls {
		switch {
		case c.Token == token:
			at = c.From
		case at > 0 && (c.Op == "cut" || c.Op == "rewrite" || c.Op == "map"):
			return true
		}
	}
	for _, e := range h.events {
		if e.Host != o.Host || e.Till < o.From || e.From > o.ended || !mayBeDone(e) {
			continue
		}
		switch {
		case e.Op == "unlink" && o.had(e.Name, e.Till),
			e.Op == "rename" && o.had(e.To, e.From-1),
			e.Op == "truncate" && o.had(e.Name, e.Till) && e.Till > at:
			return true
		}
	}
	return slices.ContainsFunc(h.opens, func(p *opened) bool { return p != o && o.shares(p) && p.writes(at) })
}
