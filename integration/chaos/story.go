package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// complain reports what was found, with the history of the files concerned.
func (h *history) complain(e *harness.Env) {
	e.Helper()
	told, versions, looked, aside := 0, 0, 0, 0
	for _, event := range h.events {
		if event.Told() {
			told++
		}
	}
	for key, all := range h.keys {
		versions += len(all)
		for _, v := range all {
			if v.looked {
				looked++
			}
		}
		if kept(key) {
			aside++
		}
	}
	e.Logf("chaos: seed %d: %d calls, %d answered well, %d versions, %d of them looked for in the history, %d files kept beside, %d meetings of two hosts",
		h.plan.Seed, len(h.events), told, versions, looked, aside, h.met())
	if len(h.found) == 0 {
		return
	}
	const most = 3 // of one kind, of one file
	count := map[string]int{}
	var files []string
	for _, p := range h.found {
		count[p.kind]++
		if count[p.kind+" "+p.key]++; count[p.kind+" "+p.key] <= most {
			e.Errorf("seed %d: %s: %s: %s", h.plan.Seed, p.kind, p.key, p.text)
		}
		for _, name := range append(p.names, fileOf(p.key)) {
			if !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
	}
	for _, name := range files {
		e.Logf("history of %s:\n%s", name, h.story(name))
	}
	e.Logf("what happened to the hosts:\n%s", strings.Join(h.notes, "\n"))
	for key := range count {
		if strings.Contains(key, "/") {
			delete(count, key)
		}
	}
	e.Logf("seed %d: broken promises: %v", h.plan.Seed, count)
}

// story tells what happened to a name and to what is inside, in order of time.
func (h *history) story(name string) string {
	type entry struct {
		at   int64
		text string
	}
	var all []entry
	for key, versions := range h.keys {
		if fileOf(key) != name && !strings.HasPrefix(key, name+"/") {
			continue
		}
		for _, v := range versions {
			all = append(all, entry{v.from, fmt.Sprintf("      %v mode %o: %v", v, v.mode, v.tokens)})
		}
	}
	for _, e := range h.events {
		if e.Name == name || e.To == name || strings.HasPrefix(e.Name, name+"/") || strings.HasPrefix(e.To, name+"/") {
			all = append(all, entry{e.From, e.String()})
		}
	}
	for host, log := range h.logs {
		for text := range strings.Lines(log) {
			if at, text, ok := h.logged(text, name); ok {
				all = append(all, entry{at, "            log of " + host + ": " + text})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "%7.3f %s\n", float64(e.at-h.began)/1e9, e.text)
	}
	return b.String()
}

// logged gives the time of a line of a host's log and the line itself, cut to what matters. ok: it
// is about a name, or about the leases of the host.
func (h *history) logged(text, name string) (at int64, short string, ok bool) {
	stamp, text, _ := strings.Cut(strings.TrimPrefix(text, "time="), " ")
	when, err := time.Parse(time.RFC3339Nano, stamp)
	_, after, about := strings.Cut(text, name)
	if about && after != "" {
		about = strings.ContainsRune(" /.\"\n\\", rune(after[0]))
	}
	if err != nil || !about && !strings.Contains(text, "session") {
		return 0, "", false
	}
	const most = 240
	text = strings.TrimSpace(text)
	return h.clockAt(when), text[:min(most, len(text))], true
}

// String tells a call in one line.
func (e Event) String() string {
	s := fmt.Sprintf("%s.%d %s %s", e.Host, e.Worker, e.Op, e.Name)
	if e.To != "" {
		s += " to " + e.To
	}
	if e.Handle != 0 {
		s += fmt.Sprintf(" [%d %s]", e.Handle, e.How)
	}
	if e.Token != "" {
		s += fmt.Sprintf(" line %s having seen %v", e.Token, e.Seen)
	}
	if e.Lines != nil {
		s += fmt.Sprintf(" shows %v", e.Lines)
	}
	if e.Op == "chmod" || e.Op == "fchmod" {
		s += fmt.Sprintf(" %o", e.Mode)
	}
	if e.Errno != 0 {
		s += ": " + unix.ErrnoName(e.Errno)
	}
	if d := e.Till - e.From; d > 50e6 {
		s += fmt.Sprintf(" (%.3f s)", float64(d)/1e9)
	}
	return s
}

// String tells a handle's life in one line.
func (o *opened) String() string {
	var calls []string
	for _, c := range o.calls {
		text := c.Op
		if c.Token != "" {
			text += " " + c.Token
		}
		if c.Errno != 0 {
			text += ": " + unix.ErrnoName(c.Errno)
		}
		calls = append(calls, text)
	}
	return fmt.Sprintf("%v, then %s", o.Event, strings.Join(calls, ", "))
}

// String tells a version in one line; nil is that there is nothing.
func (v *version) String() string {
	switch {
	case v == nil:
		return "nothing"
	case v.deleted:
		return fmt.Sprintf("delete marker %d of %s by %s", v.n, v.key, v.by)
	}
	last := "none"
	if len(v.tokens) > 0 {
		last = v.tokens[len(v.tokens)-1]
	}
	return fmt.Sprintf("version %d of %s (%s by %s, %d lines, last %s, id %.8s over %.8s)", v.n, v.key, v.kind, v.by, len(v.tokens), last, v.change.version, v.base)
}
