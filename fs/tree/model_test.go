package tree

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// The states of a directory in the model.
const (
	none  = "none"  // not there
	keys  = "keys"  // it has keys in the bucket
	stays = "stays" // we removed its last entry
	may   = "may"   // we removed an entry of it, and others the last one
)

// A model remembers what was true when. An answer is right if each part of it was true at some
// moment since the last thing that makes older knowledge wrong: the TTL, or our own
// change.
type model struct {
	b *bucket

	mu      sync.Mutex
	history map[string][]moment  // by key; a directory by its key and "?"
	since   map[string]time.Time // older truth of these does not count
	touched map[string]bool      // directories of which we removed something
	emptied map[string]bool      // and that had no keys then, nor since, nor was known to have a marker
	looks   map[string][]period  // when somebody looked a key up, listed a directory, or changed one of them here
	times   modelTimes
}

type moment struct {
	at    time.Time
	value string // an ETag or ""; the state of a directory
}

// The names that there are in each directory.
var world = map[string][]string{
	"":     {"a", "a~file", "b", "d"},
	"a/":   {"x"},
	"d/":   {"e", "x"},
	"d/e/": {"y"},
}

var worldKeys = []string{"a", "a/", "a/x", "a~file", "b", "d", "d/", "d/x", "d/e", "d/e/", "d/e/y"}
var worldDirs = []string{"a/", "d/", "d/e/"}

// look takes the present state of the bucket as the truth from now on.
func (m *model) look() {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	now := time.Now()
	for _, key := range worldKeys {
		m.is(key, m.b.objects[key].ETag, now)
	}
	full := func(dir string) bool {
		return slices.ContainsFunc(m.b.keys(), func(k string) bool { return strings.HasPrefix(k, dir) })
	}
	for _, dir := range worldDirs {
		if full(dir) {
			m.emptied[dir] = false
		}
	}
	for _, dir := range worldDirs {
		state := none
		switch {
		case full(dir):
			state = keys
		case m.emptied[dir], dir == "d/" && m.emptied["d/e/"]:
			state = stays
		case m.touched[dir]:
			state = may
		}
		m.is(dir+"?", state, now)
	}
	m.lookAtNames(now)
}

// is appends to the history of a part if that says something new.
func (m *model) is(part, value string, at time.Time) {
	h := m.history[part]
	if len(h) == 0 || h[len(h)-1].value != value {
		m.history[part] = append(h, moment{at, value})
	}
}

// noted puts our own view, at the moment of a Note, into the history of a part, and what was
// before it out of consideration.
func (m *model) noted(part, value string) {
	now := time.Now()
	last := m.history[part][len(m.history[part])-1].value
	m.is(part, value, now)
	m.is(part, last, now)
	m.since[part] = now
}

// values returns all values of a part from one time to another, both included.
func (m *model) values(part string, from, to time.Time) []string {
	var vs []string
	h := m.history[part]
	for i, x := range h {
		if !x.at.After(to) && (i+1 == len(h) || !h[i+1].at.Before(from)) {
			vs = append(vs, x.value)
		}
	}
	return vs
}

// from tells for a call that starts now how old what it says of a part may be.
func (m *model) from(part string, start time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := start.Add(-ttl); t.After(m.since[part]) {
		return t
	}
	return m.since[part]
}

// note tells the tree and the model of our change.
func (m *model) note(tr *Tree, key string, etag string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	marked := map[string]bool{} // directories that the tree knows the markers of
	for _, dir := range worldDirs {
		tr.mu.Lock()
		marked[dir] = tr.marker(dir) != nil
		tr.mu.Unlock()
	}
	if etag != "" {
		m.b.mu.Lock()
		i := m.b.head(key)
		m.b.mu.Unlock()
		if i.ETag != etag { // overwritten meanwhile
			i.ETag = etag
			i.Props.Meta = map[string]string{"id": etag}
		}
		tr.Note(key, &i)
	} else {
		tr.Note(key, nil)
	}
	m.noted(key, etag)
	m.touch(tr, key)
	for _, dir := range worldDirs {
		switch {
		case etag != "" && strings.HasPrefix(key, dir):
			m.noted(dir+"?", keys)
		case etag == "" && strings.HasPrefix(dir, key) && strings.HasSuffix(key, "/"):
			m.touched[dir], m.emptied[dir] = false, false
			if dir == key {
				m.noted(dir+"?", none)
			}
		case etag == "" && strings.HasPrefix(key, dir):
			m.touched[dir] = true
			if m.history[dir+"?"][len(m.history[dir+"?"])-1].value != keys && !marked[dir] {
				m.emptied[dir] = true
				m.since[dir+"?"] = time.Now()
			}
		}
	}
	m.look()
}

// at runs a change of the bucket, and takes down what is true then.
func (m *model) at(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	m.look()
}

// A span is what the parts of a name were while a call could see them.
type span struct{ object, marker, dir []string }

// A call is one of Lookup or List.
type call struct {
	m     *model
	start time.Time
	from  map[string]time.Time
	// looked is since when somebody has looked for the name: what was absent before counts for nothing.
	looked time.Time
}

func (m *model) call() *call {
	c := &call{m: m, start: time.Now(), from: make(map[string]time.Time)}
	for _, key := range worldKeys {
		c.from[key] = m.from(key, c.start)
	}
	for _, dir := range worldDirs {
		c.from[dir+"?"] = m.from(dir+"?", c.start)
	}
	return c
}

func (c *call) span(key string) span { return c.since(key, time.Time{}) }

// absent is span for a name that was not found.
func (c *call) absent(key string) span { return c.since(key, c.looked) }

func (c *call) since(key string, from time.Time) span {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	get := func(part string, otherwise string) []string {
		if _, ok := c.from[part]; !ok {
			return []string{otherwise}
		}
		return c.m.values(part, newer(from, c.from[part]), time.Now())
	}
	return span{get(key, ""), get(key+"/", ""), get(key+"/?", none)}
}

// some tells whether any of the values is one of those.
func some(values []string, those ...string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return slices.Contains(those, v) })
}

// wrong tells what is wrong with the entry of an object or directory.
func (c *call) wrong(e Entry) string {
	s := c.span(strings.TrimSuffix(e.Key, "/"))
	if e.Complete && e.Info.ETag != "" && e.Info.Props.Meta["id"] != e.Info.ETag {
		return "properties of another version"
	}
	switch {
	case e.Dir && !some(s.dir, keys, stays, may):
		return "no such directory"
	case e.Dir && e.Complete && !some(s.marker, e.Info.ETag):
		return fmt.Sprintf("marker %q, could be %q", e.Info.ETag, s.marker)
	case !e.Dir && !some(s.object, e.Info.ETag):
		return fmt.Sprintf("object %q, could be %q", e.Info.ETag, s.object)
	case time.Since(e.Seen) > time.Since(c.start)+ttl:
		return "too old"
	}
	return ""
}

// lookup does a Lookup and returns what is wrong with its answer.
func (m *model) lookup(tr *Tree, dir, name string) string {
	c := m.call()
	looked := []string{dir + name}
	if name == "a~file" {
		looked = append(looked, dir) // it may be what another name stands for
	}
	defer m.looking(looked...)()
	c.looked = m.firstLook(c.start, dir+name, dir)
	e, err := tr.Lookup(context.Background(), dir, name)
	s, beside := c.span(dir+name), c.span("a")
	if isNotFound(err) {
		s = c.absent(dir + name)
	}
	switch {
	case isNotFound(err) && !some(s.object, ""):
		return fmt.Sprintf("object not found, could be %q", s.object)
	case isNotFound(err) && !some(s.dir, none, may):
		return fmt.Sprintf("directory not found, could be %q", s.dir)
	case isNotFound(err) && name == "a~file" && len(s.object) == 1 && !some(beside.object, "") && !some(beside.dir, none, may, stays):
		return "not found beside the directory"
	case isNotFound(err):
		return ""
	case err != nil:
		return err.Error()
	case e.Key == "a" && name == "a~file" && !some(beside.dir, keys, stays):
		return "a suffix without a directory"
	case e.Key == "a" && name == "a~file" && !e.Dir:
		return c.wrong(e)
	case strings.TrimSuffix(e.Key, "/") != dir+name || e.Name != name || !e.Complete:
		return fmt.Sprintf("another entry: %+v", e)
	case !e.Dir && !some(s.dir, none, may, stays):
		return "an object in place of a directory"
	}
	return c.wrong(e)
}

// list does a List and returns what is wrong with its answer.
func (m *model) list(tr *Tree, dir string) string {
	c := m.call()
	defer m.looking(dir)()
	entries, err := tr.List(context.Background(), dir)
	if err != nil {
		return err.Error()
	}
	byKey, byName := make(map[string]Entry), make(map[string]Entry)
	for _, e := range entries {
		byKey[e.Key], byName[e.Name] = e, e
		if w := c.wrong(e); w != "" {
			return fmt.Sprintf("%+v: %s", e, w)
		}
	}
	if len(byKey) != len(entries) || len(byName) != len(entries) {
		return fmt.Sprintf("entries twice: %+v", entries)
	}
	for _, name := range world[dir] {
		key := dir + name
		s := c.span(key)
		object, isObject := byKey[key]
		_, isDir := byKey[key+"/"]
		delete(byKey, key)
		delete(byKey, key+"/")
		switch {
		case !isObject && !some(s.object, ""):
			return fmt.Sprintf("%s is not listed, could be %q", key, s.object)
		case !isDir && !some(s.dir, none, may) && !(some(s.dir, stays) && isObject):
			return fmt.Sprintf("%s/ is not listed, could be %q", key, s.dir)
		case isObject && isDir == (object.Name == name):
			return fmt.Sprintf("%s is shown as %s", key, object.Name)
		}
	}
	if len(byKey) > 0 {
		return fmt.Sprintf("unknown entries: %v", byKey)
	}
	return ""
}
