package tree

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A period is from one time to another; to is zero while it lasts.
type period struct{ from, to time.Time }

// looking takes down that somebody looks for these, until done.
func (m *model) looking(what ...string) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, w := range what {
		m.looks[w] = append(m.looks[w], period{from: now})
	}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, w := range what {
			i := slices.IndexFunc(m.looks[w], func(p period) bool { return p.from.Equal(now) && p.to.IsZero() })
			m.looks[w][i].to = time.Now()
		}
	}
}

// firstLook tells when the first of those began who looked for any of these and may have left an
// answer that is not older than the TTL; at the latest it is now.
func (m *model) firstLook(now time.Time, what ...string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := now
	for _, w := range what {
		for _, p := range m.looks[w] {
			if p.to.IsZero() || !p.to.Before(now.Add(-ttl)) {
				first = older(first, p.from)
			}
		}
	}
	return first
}

// modelTimes is what the model knows of the times of directories.
type modelTimes struct {
	sights map[string]sight // the last one of each
	known  map[string]sight // the last one of which it is certain what was seen
	// disturbed is when a change of ours, or a Forget, made it uncertain what is compared.
	disturbed map[string][]time.Time
	// moved and stayed are how often a time had to.
	moved, stayed int
}

func newModelTimes() modelTimes {
	return modelTimes{sights: make(map[string]sight), known: make(map[string]sight), disturbed: make(map[string][]time.Time)}
}

// A sight is what somebody saw who listed a directory.
type sight struct {
	period
	changed time.Time
	names   string // "" if others changed them or we did, so that it is not certain what was seen
}

// slack is how long a request may be under way that is compared when it comes.
const slack = 3 * time.Second

// lookAtNames takes down what there is in each directory.
func (m *model) lookAtNames(now time.Time) {
	for dir, names := range world {
		set := "."
		for _, name := range names {
			if m.b.objects[dir+name].ETag != "" {
				set += " " + name
			}
			if h := m.history[dir+name+"/?"]; len(h) > 0 {
				switch h[len(h)-1].value {
				case keys, stays:
					set += " " + name + "/"
				case may:
					set += " " + name + "?"
				}
			}
		}
		m.is("in "+dir, set, now)
	}
}

// touch tells the tree that we changed a key, as its caller does, and takes it down.
func (m *model) touch(tr *Tree, key string) {
	now := time.Now()
	own := strings.TrimSuffix(key, "/")
	m.looks[own] = append(m.looks[own], period{now, now})
	delete(m.times.known, key) // where it was made anew the times are those of its marker
	for dir := range world {
		if strings.HasPrefix(key, dir) && key != dir {
			tr.Touch(dir)
		}
		if strings.HasPrefix(key, dir) || strings.HasSuffix(key, "/") && strings.HasPrefix(dir, key) {
			m.times.disturbed[dir] = append(m.times.disturbed[dir], now)
		}
	}
}

// forgot takes down a Forget.
func (m *model) forgot(key string) {
	for dir := range world {
		if strings.HasPrefix(key, strings.TrimSuffix(dir, "/")) {
			m.times.disturbed[dir] = append(m.times.disturbed[dir], time.Now())
		}
	}
}

// names are those in a directory for a while, "" if they changed or that is not certain.
func (m *model) names(dir string, from, to time.Time) string {
	in := m.values("in "+dir, from, to)
	if len(in) != 1 || slices.ContainsFunc(m.times.disturbed[dir], func(at time.Time) bool { return !at.Before(from) && !at.After(to) }) {
		return ""
	}
	return in[0]
}

// sight checks the time of a directory after a List that began at start, and returns what is wrong
// with it: it never goes back, and it has moved exactly if the names are others than before.
func (m *model) sight(tr *Tree, dir string, start time.Time) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	s := sight{period{start, now}, changedAt(tr, dir), m.names(dir, start.Add(-slack), now)}
	before, ok := m.times.sights[dir]
	m.times.sights[dir] = s
	known := m.times.known[dir]
	if s.names != "" && !strings.Contains(s.names, "?") {
		m.times.known[dir] = s
	}
	moved := !s.changed.Equal(before.changed)
	switch {
	case !ok:
	case s.changed.Before(before.changed):
		return fmt.Sprintf("the time went back from %v to %v", before.changed, s.changed)
	case m.names(dir, before.from.Add(-slack), now) != "":
		if m.times.stayed++; moved {
			return fmt.Sprintf("%s: the time moved from %v to %v", s.names, before.changed, s.changed)
		}
	case known.names != "" && m.times.known[dir].names != known.names:
		if m.times.moved++; !s.changed.After(known.changed) {
			return fmt.Sprintf("%s became %s, and the time is still %v", known.names, s.names, s.changed)
		}
	}
	return ""
}
