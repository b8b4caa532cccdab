package tree

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A bucket is a map of keys that answers as S3 does: listings in order of bytes and without
// properties, HEAD with whole seconds.
type bucket struct {
	mu       sync.Mutex
	objects  map[string]store.Info
	versions int
	requests []string
	page     int              // entries of a page
	fail     map[string]error // by request
	blank    bool             // the first page of each listing is empty
	// way, if set, is the time of a request to the bucket and of its answer back.
	way func() time.Duration
	// under is how many requests are under way, and most how many have been at a time.
	under, most int
}

func newBucket(keys ...string) *bucket {
	b := &bucket{objects: make(map[string]store.Info), page: 1000, fail: make(map[string]error)}
	for _, k := range keys {
		b.put(k)
	}
	return b
}

// put makes a new version, as a foreign program does.
func (b *bucket) put(key string) store.Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.versions++
	id := fmt.Sprintf("e%d", b.versions)
	b.objects[key] = store.Info{
		Key: key, ETag: id, VersionID: "v" + id, Size: int64(b.versions), LastModified: time.Now(),
		Props: store.Props{Meta: map[string]string{"id": id}},
	}
	return b.head(key)
}

func (b *bucket) del(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, key)
}

func (b *bucket) head(key string) store.Info {
	i := b.objects[key]
	i.LastModified = i.LastModified.Truncate(time.Second)
	i.Settled = time.Since(i.LastModified) >= time.Minute
	return i
}

// changingWay sets the time of a way so that it can be changed while requests are under way.
func (b *bucket) changingWay(d time.Duration) *atomic.Int64 {
	way := new(atomic.Int64)
	way.Store(int64(d))
	b.way = func() time.Duration { return time.Duration(way.Load()) }
	return way
}

// travel takes the time of one way.
func (b *bucket) travel(ctx context.Context) error {
	if b.way == nil {
		return ctx.Err()
	}
	select {
	case <-time.After(b.way()):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *bucket) begun(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.under += n
	b.most = max(b.most, b.under)
}

// serve runs a request at the bucket, between two ways.
func (b *bucket) serve(ctx context.Context, request string, run func()) error {
	b.begun(1)
	defer b.begun(-1)
	if err := b.travel(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	b.requests = append(b.requests, request)
	err := b.fail[request]
	if err == nil {
		run()
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	return b.travel(ctx)
}

func (b *bucket) Head(ctx context.Context, key, version string) (i store.Info, err error) {
	found := false
	err = b.serve(ctx, "HEAD "+key, func() { _, found = b.objects[key]; i = b.head(key) })
	switch {
	case err != nil:
		return store.Info{}, fmt.Errorf("head: %w", err)
	case !found:
		return store.Info{}, fmt.Errorf("head: %w", store.ErrNotFound)
	}
	return i, nil
}

func (b *bucket) List(ctx context.Context, o store.ListOptions) (p store.ListPage, err error) {
	request := "LIST " + o.Prefix
	switch {
	case o.Max > 0:
		request = "FIRST " + o.Prefix
	case o.After != "":
		request = "PAGE " + o.After
	}
	err = b.serve(ctx, request, func() { p = b.list(o) })
	return p, err
}

func (b *bucket) list(o store.ListOptions) (p store.ListPage) {
	if b.blank && o.Token == "" {
		return store.ListPage{Next: "\x00"}
	}
	limit := b.page
	if o.Max > 0 {
		limit = min(limit, o.Max)
	}
	last := ""
	for _, key := range b.keys() {
		rest, ok := strings.CutPrefix(key, o.Prefix)
		at := key
		if i := strings.Index(rest, o.Delimiter); o.Delimiter != "" && i >= 0 {
			at = o.Prefix + rest[:i+1]
		}
		// A key behind the one to start after counts, though its prefix may be before that one.
		if !ok || key <= o.After || at <= o.Token {
			continue
		}
		if at == last {
			continue
		}
		if len(p.Objects)+len(p.Prefixes) == limit {
			p.Next = last
			return p
		}
		if last = at; at != key || o.Delimiter != "" && strings.HasSuffix(rest, o.Delimiter) {
			p.Prefixes = append(p.Prefixes, at)
			continue
		}
		i := b.objects[key]
		p.Objects = append(p.Objects, store.Info{Key: key, ETag: i.ETag, Size: i.Size, LastModified: i.LastModified})
	}
	return p
}

func (b *bucket) keys() []string {
	var keys []string
	for k := range b.objects {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// asked returns the requests since the last call, sorted.
func (b *bucket) asked() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.requests
	b.requests = nil
	slices.Sort(r)
	return strings.Join(r, ", ")
}

// kinds counts the requests since the last call by their first word.
func (b *bucket) kinds() map[string]int {
	n := make(map[string]int)
	if asked := b.asked(); asked != "" {
		for _, r := range strings.Split(asked, ", ") {
			kind, _, _ := strings.Cut(r, " ")
			n[kind]++
		}
	}
	return n
}

// want checks the requests since the last time.
func (b *bucket) want(t *testing.T, requests string) {
	t.Helper()
	if got := b.asked(); got != requests {
		t.Errorf("requests %q, want %q", got, requests)
	}
}

// names shows entries as a line: name, "/" for directories, "=key" where the key is not that of
// the name, "*" if complete.
func names(entries []Entry, dir string) string {
	var s []string
	for _, e := range entries {
		n, key := e.Name, strings.TrimPrefix(e.Key, dir)
		if e.Dir {
			n += "/"
		}
		if n != key {
			n += "=" + key
		}
		if e.Complete {
			n += "*"
		}
		s = append(s, n)
	}
	return strings.Join(s, " ")
}

func wantList(t *testing.T, tr *Tree, dir, want string) {
	t.Helper()
	entries, err := tr.List(t.Context(), dir)
	if err != nil {
		t.Errorf("List %q: %v", dir, err)
	}
	if got := names(entries, dir); got != want {
		t.Errorf("List %q: %q, want %q", dir, got, want)
	}
}

// wantLookup checks what is under a name: "" for nothing, else as names shows it.
func wantLookup(t *testing.T, tr *Tree, dir, name, want string) Entry {
	t.Helper()
	e, err := tr.Lookup(t.Context(), dir, name)
	got := ""
	switch {
	case err == nil:
		got = names([]Entry{e}, dir)
	case !isNotFound(err):
		t.Errorf("Lookup %q: %v", dir+name, err)
	}
	if got != want {
		t.Errorf("Lookup %q: %q, want %q", dir+name, got, want)
	}
	return e
}
