package tree

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Objects is what a Tree asks of the object store; *store.Client has it.
type Objects interface {
	// Head fails with store.ErrNotFound if nothing is there.
	Head(ctx context.Context, key, version string) (store.Info, error)
	List(ctx context.Context, o store.ListOptions) (store.ListPage, error)
}

// Options of a Tree; the zero value shows the whole bucket and keeps nothing.
type Options struct {
	// Prefix is the key of the directory to show as the root: "" or "a/b/".
	Prefix string
	// TTL is how old an answer may be.
	TTL time.Duration
	// Ahead is how many names at a time are looked up ahead of those who look up the names of
	// a directory in their order, all of them together.
	Ahead int
	// MaxTarget is the length in bytes of the longest target of a symlink: a longer object, and
	// an empty one, is known to be none, so that programs which want types do not ask.
	MaxTarget int64
}

const (
	// maxStates bounds the names of which something is remembered, at about 1 KiB each.
	maxStates = 50_000
	// maxListed bounds the entries of all remembered listings together.
	maxListed = 100_000
	// maxPages bounds the entries of all remembered parts of directories together.
	maxPages = 100_000
)

// A Tree is the names of one mount.
type Tree struct {
	objects Objects
	root    string
	ttl     time.Duration

	mu       sync.Mutex
	states   *cache[*state]   // by the key of the name, without slash at its end
	listings *cache[*listing] // of whole directories, by directory: what List may answer with
	pages    *cache[*listing] // of parts of them, and what was listed ahead, by directory
	watched  *cache[*watched] // by directory
	lasting  lasting
	lookups  map[string]*flight[state]   // by the key of the name
	lists    map[string]*flight[[]Entry] // by directory
	ahead    ahead
	// recorders are the requests under way, which Note corrects.
	recorders map[*recorder]struct{}
}

// New returns the tree of a mount of which nothing is known yet.
func New(o Objects, opt Options) *Tree {
	return &Tree{
		objects:   o,
		root:      opt.Prefix,
		ttl:       opt.TTL,
		states:    newCache[*state](maxStates),
		listings:  newCache[*listing](maxListed),
		watched:   newCache[*watched](maxNames),
		pages:     newCache[*listing](maxPages),
		lasting:   make(lasting),
		lookups:   make(map[string]*flight[state]),
		lists:     make(map[string]*flight[[]Entry]),
		ahead:     newAhead(opt),
		recorders: make(map[*recorder]struct{}),
	}
}

// fresh tells whether what was seen at that time may still be an answer. The zero time is
// never fresh.
func (t *Tree) fresh(seen time.Time) bool { return time.Since(seen) < t.ttl }

// listed gives the listings of a directory that are remembered. Tree.mu is held.
func (t *Tree) listed(dir string) iter.Seq[*listing] {
	return func(yield func(*listing) bool) {
		for _, c := range []*cache[*listing]{t.listings, t.pages} {
			if l, ok := c.get(dir); ok && !yield(l) {
				return
			}
		}
	}
}

// latest gives the latest listing that tells of a name of a directory, or nil. Tree.mu is held.
func (t *Tree) latest(dir, name string) (latest *listing) {
	for l := range t.listed(dir) {
		if l.tells(name) && (latest == nil || l.seen.After(latest.seen)) {
			latest = l
		}
	}
	return latest
}

// Note tells what is in the bucket now under a key, after a change of our own; nil means that
// nothing is. It sends no request. Removing a directory's key says that the directory is no
// longer wanted: whoever moves one away, which has no marker, notes its key too.
func (t *Tree) Note(key string, i *store.Info) {
	if key == t.root || !strings.HasPrefix(key, t.root) {
		return
	}
	n := note{key: key, at: time.Now()}
	if i != nil {
		c := *i
		c.Key = key
		n.info = &c
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	own := strings.TrimSuffix(key, "/")
	s, ok := t.states.get(own)
	if !ok {
		s = new(state)
	}
	if n.isDir() && n.info != nil && !s.below.yes {
		t.made(key, n.at)
	}
	s.apply(own, n)
	t.states.put(own, s, 1)
	t.learn(n)
	if n.info != nil {
		return
	}
	dirs := t.ancestors(key)
	if n.isDir() {
		t.lasting.remove(key)
		dirs = dirs[1:]
	}
	bare := slices.IndexFunc(dirs, func(dir string) bool { return t.marker(dir) == nil })
	if bare >= 0 {
		for _, dir := range dirs[bare:] {
			t.lasting.add(dir)
		}
	}
}

// marker returns the marker of a directory as it was seen last, nil where none was. Tree.mu is held.
func (t *Tree) marker(dir string) *store.Info {
	s, ok := t.states.get(strings.TrimSuffix(dir, "/"))
	if !ok || !s.below.yes {
		return nil
	}
	return s.marker.info
}

// learn takes a note over into the requests under way and all that is known of the directories
// that its key is in; one with a key need not be lasting. Tree.mu is held.
func (t *Tree) learn(n note) {
	t.record(n)
	for dir := n.key; len(dir) > len(t.root); {
		dir = parent(dir)
		for l := range t.listed(dir) {
			l.apply(dir, n)
		}
		if w, ok := t.watched.get(dir); ok {
			w.apply(dir, n)
		}
	}
	for _, dir := range t.ancestors(n.key) {
		name := strings.TrimSuffix(dir, "/")
		if s, ok := t.states.get(name); ok && dir != n.key {
			s.apply(name, n)
		}
		if n.info != nil {
			t.lasting.drop(dir)
		}
	}
}

// hasKeys lets go of a lasting directory after a request that knows of all our removals found
// keys in it. What is known already, or on its way, may still say that it has none. That did no
// harm while the directory was lasting; now it is corrected as by a Note. Tree.mu is held.
func (t *Tree) hasKeys(dir string) {
	if dir != t.root && t.lasting.has(dir) {
		const any = "\x00" // a key of the directory that shows in no listing
		t.learn(note{key: dir + any, info: &store.Info{}, at: time.Now()})
	}
}

// Lasting tells whether a directory is shown although the bucket may have no key of it any more.
func (t *Tree) Lasting(dir string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lasting.has(dir)
}

// Marker returns the marker of a directory as it was seen last, however long ago, if one was.
func (t *Tree) Marker(dir string) (store.Info, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.marker(dir); i != nil {
		return *i, true
	}
	return store.Info{}, false
}

// Forget says that what is known of a key is old: the next Lookup asks the bucket.
func (t *Tree) Forget(key string) {
	if key == t.root || !strings.HasPrefix(key, t.root) {
		return
	}
	own, dir := strings.TrimSuffix(key, "/"), parent(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.record(note{key: key, at: time.Now(), forget: true})
	t.states.drop(own)
	t.listings.drop(dir)
	t.pages.drop(dir)
	delete(t.lookups, own)
	delete(t.lists, dir)
}
