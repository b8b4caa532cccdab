package chaos

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// A history is everything that is known after a run.
type history struct {
	plan   Plan
	began  int64 // by clock
	start  time.Time
	events []Event
	names  []string // that the calls and their checks are about

	keys  map[string][]*version // oldest first
	byID  map[string]*version   // by key and id
	first map[string]*version   // by line: where it was uploaded first, under a name
	wrote map[string]*opened    // by line: through what it was written
	opens []*opened
	logs  map[string]string // by host

	mu    sync.Mutex
	notes []string // what happened to the hosts
	found []problem
}

// A problem is a broken promise.
type problem struct {
	kind, key, text string
	names           []string // that the open file had
}

// A version is one version or delete marker of a key.
type version struct {
	change
	n       int
	deleted bool
	etag    string
	writeID string
	base    string // version that its author says to have replaced; "-": none; "": not ours
	mode    int64  // -1: it has none
	content string
	tokens  []string
	torn    error // it does not consist of lines
	// looked: its author looked at the history of the key afterwards, as after an attempt without a
	// lease (LOCKS P5) and after one whose answer was lost.
	looked bool
}

// never is a time after everything.
const never = 1 << 62

func newHistory(p Plan) *history {
	h := &history{plan: p, logs: map[string]string{}, keys: map[string][]*version{}, byID: map[string]*version{}, first: map[string]*version{}, wrote: map[string]*opened{}}
	for { // both clocks of one moment
		h.began, h.start = clock(), time.Now()
		if clock()-h.began < int64(50*time.Microsecond) {
			return h
		}
	}
}

func (h *history) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, fmt.Sprintf("%7.3f ", float64(clock()-h.began)/1e9)+fmt.Sprintf(format, args...))
}

func (h *history) wrong(kind, key, format string, args ...any) {
	h.found = append(h.found, problem{kind: kind, key: key, text: fmt.Sprintf(format, args...)})
}

// broke notes what became of an open file.
func (h *history) broke(kind string, o *opened, format string, args ...any) {
	h.wrong(kind, o.Name, format, args...)
	p := &h.found[len(h.found)-1]
	for _, n := range o.names {
		p.names = append(p.names, n.name)
	}
}

// collect reads the bucket and finds out who made each version.
func (h *history) collect(e *harness.Env, b *harness.Bucket, hosts []*member, f *foreign) {
	e.Helper()
	changes := map[string]change{}
	for _, c := range f.tells {
		changes[c.key+" "+c.version] = c
	}
	for _, m := range hosts {
		h.logs[m.Hostname] = m.Log()
		for _, r := range m.s3.Seen(func(r harness.Request) bool { return r.Version != "" && r.Status < 300 }) {
			if c, ok := h.changeOf(r, b.Name); ok {
				c.by = m.Hostname
				changes[c.key+" "+c.version] = c
			}
		}
	}
	keys := h.keysOfEvents()
	for _, key := range b.KeysBelow("d") {
		if kept(key) {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		h.read(e, b, key, changes)
	}
	for _, m := range hosts {
		h.looks(m.Hostname, m.s3.Seen(func(r harness.Request) bool { return r.Method == http.MethodGet }))
	}
	for _, key := range keys {
		for _, v := range h.keys[key] {
			for _, token := range v.tokens {
				if w := h.first[token]; v.kind == "put" && !kept(key) && (w == nil || v.from < w.from) {
					h.first[token] = v
				}
			}
		}
	}
	slices.SortFunc(h.events, func(a, b Event) int { return int(a.From - b.From) })
	h.lives()
}

// looks notes which versions of a host it looked for in the history of their keys.
func (h *history) looks(host string, requests []harness.Request) {
	for _, r := range requests {
		query, err := url.ParseQuery(r.Query)
		if _, list := query["versions"]; err != nil || !list {
			continue
		}
		var last *version
		for _, v := range h.keys[query.Get("prefix")] {
			if v.by == host && v.till <= h.clockAt(r.At) && !v.deleted {
				last = v
			}
		}
		if last != nil {
			last.looked = true
		}
	}
}

// clockAt gives the time of the clock at a moment.
func (h *history) clockAt(t time.Time) int64 { return h.began + int64(t.Sub(h.start)) }

// keysOfEvents gives the keys of what the calls were about, and notes the names.
func (h *history) keysOfEvents() []string {
	keys := slices.Clone(Names)
	for _, e := range h.events {
		keys = append(keys, e.Name)
		switch e.Op {
		case "rename":
			keys = append(keys, e.To)
		case "mkdir":
			keys = append(keys, e.Name+"/")
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	for _, key := range keys {
		if !strings.HasSuffix(key, "/") {
			h.names = append(h.names, key)
		}
	}
	return keys
}

// changeOf finds the change in a request that the server answered well.
func (h *history) changeOf(r harness.Request, bucket string) (c change, ok bool) {
	if !strings.HasPrefix(r.Path, "/"+bucket+"/") {
		return c, false
	}
	c = change{key: r.Key(bucket), version: r.Version, from: h.clockAt(r.At), till: h.clockAt(r.Till)}
	switch source := r.Header.Get("X-Amz-Copy-Source"); {
	case r.Method == "DELETE":
		c.kind = "delete"
	case source != "":
		c.kind = "copy"
		_, c.source, _ = strings.Cut(source, "versionId=")
	case r.Method == "PUT" || r.Method == "POST":
		c.kind = "put"
	}
	return c, c.kind != ""
}

// read reads the versions of a key.
func (h *history) read(e *harness.Env, b *harness.Bucket, key string, changes map[string]change) {
	e.Helper()
	ctx := e.Timeout(time.Minute)
	entries, err := b.S3.History(ctx, key)
	e.Must(err)
	heads, err := b.S3.Versions(ctx, key)
	e.Must(err)
	for n, entry := range entries {
		v := &version{n: n, deleted: entry.Deleted, mode: -1}
		v.key, v.version = key, entry.ID
		if c, ok := changes[key+" "+entry.ID]; ok {
			v.change = c
		} else {
			e.Fatalf("nobody is known to have made version %s of %s", entry.ID, key)
		}
		for _, head := range heads {
			if head.ID == entry.ID {
				v.etag, v.writeID = head.ETag, head.Meta["latchfs-write-id"]
				v.base, _ = url.PathUnescape(head.Meta["latchfs-base"])
				if mode, err := strconv.ParseInt(head.Meta["file-permissions"], 8, 64); err == nil {
					v.mode = mode & 0o7777
				}
			}
		}
		if !entry.Deleted {
			content, err := b.S3.Get(ctx, key, entry.ID)
			e.Must(err)
			v.content = string(content)
			v.tokens, v.torn = lines(v.content)
		}
		h.keys[key] = append(h.keys[key], v)
		h.byID[key+" "+v.version] = v
	}
}

// before gives the version or marker below another one; nil: none.
func (h *history) before(v *version) *version {
	if v.n == 0 {
		return nil
	}
	return h.keys[v.key][v.n-1]
}

// last gives the newest version or marker of a key; nil: none.
func (h *history) last(key string) *version {
	if all := h.keys[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}
