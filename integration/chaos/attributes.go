package chaos

import (
	"slices"
	"strings"
)

// attributes: a mode that a chmod by name set with 0 is that of a version, unless the host itself
// may have taken it back.
func (h *history) attributes() {
	set := map[int64]bool{}
	for _, all := range h.keys {
		for _, v := range all {
			set[v.mode] = true
		}
	}
	for i, e := range h.events {
		if e.Op == "chmod" && e.Told() && !set[int64(e.Mode)] && !h.tookBack(i) {
			h.wrong("ATTRIBUTE LOST", e.Name, "mode %o is that of no version: %v", e.Mode, e)
		}
	}
}

// tookBack tells whether the host that made a change of attributes may have replaced it, removed
// its file, or told a writer that the file is another host's; or found so when it was mounted again
// and the writer was gone.
func (h *history) tookBack(i int) bool {
	c := h.events[i]
	for j, e := range h.events {
		if j == i || e.Host != c.Host || e.Till < c.From || !mayBeDone(e) || e.Handle != 0 {
			continue
		}
		switch e.Op {
		case "chmod", "unlink", "rename":
			if e.Name == c.Name || e.To == c.Name {
				return true
			}
		}
	}
	others := slices.ContainsFunc(h.keys[c.Name], func(v *version) bool { return v.by != c.Host && v.from > c.From })
	return slices.ContainsFunc(h.opens, func(o *opened) bool {
		return o.Host == c.Host && o.had(c.Name, never) && o.ended > c.From && (o.stale || len(o.names) > 1 || o.doomed && (others || h.onlyMade(o, c)) ||
			slices.ContainsFunc(o.calls, func(e Event) bool { return e.Op == "fchmod" && e.Till > c.From }))
	})
}

// onlyMade tells whether a file was made by an open, and nothing was in it or in the bucket when
// the call began: if its mount dies then, no file is left that could have a mode.
func (h *history) onlyMade(o *opened, c Event) bool {
	var last *version
	for _, v := range h.keys[c.Name] {
		if v.from < c.From {
			last = v
		}
	}
	return (last == nil || last.deleted) && !slices.ContainsFunc(o.calls, func(e Event) bool { return e.Token != "" })
}

// defaultMode is that of --file-mode: files whose objects carry no mode show it.
const defaultMode = 0o644

// keptModes: a kept file has a mode that its file had, on the host or in the bucket.
func (h *history) keptModes() {
	known := map[string]map[int64]bool{}
	know := func(name string, mode int64) {
		if known[name] == nil {
			known[name] = map[int64]bool{}
		}
		known[name][mode] = true
	}
	for key, all := range h.keys {
		for _, v := range all {
			if !kept(key) && !v.deleted {
				know(key, v.mode)
				if v.mode < 0 {
					know(key, defaultMode)
				}
			}
		}
	}
	for _, e := range h.events {
		if e.Mode != 0 {
			know(e.Name, int64(e.Mode))
		}
	}
	for _, o := range h.opens { // what it had under one name it kept under the next
		for _, to := range o.names[1:] {
			for _, from := range o.names {
				for mode := range known[from.name] {
					know(to.name, mode)
				}
			}
		}
	}
	for key, all := range h.keys {
		for _, v := range all {
			if name := fileOf(key); name != key && !known[name][v.mode] {
				h.wrong("MODE OF A KEPT FILE", name, "%v has mode %o, which the file never had", v, v.mode)
			}
		}
	}
}

// fileOf gives the name of the file beside which a kept file stands.
func fileOf(key string) string {
	for _, kind := range []string{".conflict-", ".recovered-"} {
		if name, _, ok := strings.Cut(key, kind); ok {
			return name
		}
	}
	return key
}

// kept tells whether a key is that of a conflict or recovered file.
func kept(key string) bool { return fileOf(key) != key }
