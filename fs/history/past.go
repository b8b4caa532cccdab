package history

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
)

// PastObjects is what a Past asks of the object store; *store.Client has it.
type PastObjects interface {
	versionLister
	uploadLister
}

// PastOptions of a Past; the zero value is the whole bucket, of which only what cannot change is
// remembered.
type PastOptions struct {
	// Prefix is that of all keys which are asked for.
	Prefix string
	// TTL is how long what may still change is believed.
	TTL time.Duration
}

// maxPast bounds the memory of what is remembered, in KiB.
const maxPast = 32 << 10

// A Past is the directories of a bucket as they stood at earlier times: which names there were, and
// which version had each. It goes by the times of Version: an upload counts from its start. What was
// removed for good is not known, and may be remembered all the same.
//
// One listing of versions, of up to 1,000 entries a page, tells of a directory and of what is below
// it, so that a walk through a tree asks for each page once. In a tree of more than ten pages
// each directory that fills a page by itself is listed when somebody looks into it.
type Past struct {
	objects PastObjects
	settled settled
	ttl     time.Duration

	mu      sync.Mutex // guards what follows; a leaf, and not held over a request
	kept    map[pastKey]*list.Element
	order   list.List // of *keptPast, the one that was used last at the end
	weight  int
	flights map[pastKey]chan struct{} // closed when the listing has ended
}

type pastKey struct {
	dir string
	at  int64 // in nanoseconds
}

type keptPast struct {
	key     pastKey
	listing *pastListing
}

// NewPast returns the past of a bucket of which nothing is known yet.
func NewPast(objects PastObjects, o PastOptions) *Past {
	return &Past{
		objects: objects, settled: settled{objects: objects, prefix: o.Prefix, ttl: o.TTL}, ttl: o.TTL,
		kept: make(map[pastKey]*list.Element), flights: make(map[pastKey]chan struct{}),
	}
}

// Now is the time by the clock that all others here are of: the server's.
func (p *Past) Now() time.Time { return p.objects.ServerNow() }

// List returns what stood in a directory at a time, sorted by name and under the names that
// tree.Tree.List gives. Entries have what a listing tells of the version that had the name;
// a directory is there if anything below it was, its own marker included, and has the marker's
// version. One that was not there has no entries. It fails with the errors of the store. The entries
// are not to be changed.
func (p *Past) List(ctx context.Context, dir string, at time.Time) ([]tree.Entry, error) {
	l, err := p.listing(ctx, dir, at, func(*pastListing) bool { return false })
	if err != nil {
		return nil, err
	}
	return l.entries, nil
}

// Lookup returns what stood under a name in a directory at a time, as List does, but lists no more
// than a page of the directory. It fails with store.ErrNotFound if nothing did, and with the
// errors of the store.
func (p *Past) Lookup(ctx context.Context, dir, name string, at time.Time) (tree.Entry, error) {
	key := dir + name
	if _, isDir, ok := tree.Child(dir, key); !ok || isDir {
		return tree.Entry{}, store.ErrNotFound
	}
	l, err := p.listing(ctx, dir, at, func(*pastListing) bool { return true })
	switch {
	case err != nil:
		return tree.Entry{}, err
	case l.whole:
		return named(l.entries, name)
	}
	sub, err := p.listing(ctx, key+"/", at, func(l *pastListing) bool { return l.any })
	switch {
	case err != nil:
		return tree.Entry{}, err
	case sub.any:
		return tree.Entry{Name: name, Key: key + "/", Dir: true, Info: sub.marker, Seen: sub.seen}, nil
	}
	e := tree.Entry{Name: name, Key: key, Seen: time.Now()}
	var stood bool
	if e.Info, stood, err = p.object(ctx, key, at); err != nil || stood {
		return e, err
	}
	if !tree.MayBeShown(name) {
		return tree.Entry{}, store.ErrNotFound
	}
	entries, err := p.List(ctx, dir, at)
	if err != nil {
		return tree.Entry{}, err
	}
	return named(entries, name)
}

// Following gives up to n entries behind a name, in the order of List, where the directory is known.
func (p *Past) Following(dir, name string, at time.Time, n int) []tree.Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.get(pastKey{dir, at.UnixNano()})
	if l == nil || !l.whole {
		return nil
	}
	i, _ := slices.BinarySearchFunc(l.entries, name, func(e tree.Entry, name string) int { return cmp.Compare(e.Name, name) })
	i = min(i+1, len(l.entries))
	return l.entries[i:min(i+n, len(l.entries))]
}

// Forget has a directory listed anew: something that stood in it was removed for good.
func (p *Past) Forget(dir string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.kept[pastKey{dir, at.UnixNano()}]; e != nil {
		p.drop(e)
	}
}

// named finds an entry by its name.
func named(entries []tree.Entry, name string) (tree.Entry, error) {
	i, ok := slices.BinarySearchFunc(entries, name, func(e tree.Entry, name string) int { return cmp.Compare(e.Name, name) })
	if !ok {
		return tree.Entry{}, store.ErrNotFound
	}
	return entries[i], nil
}

// object gives what stood under a key at a time; stood is false if nothing did.
func (p *Past) object(ctx context.Context, key string, at time.Time) (i store.Info, stood bool, err error) {
	// The key itself comes before all that begin with it.
	for w := newPastWalk(p.objects, key, "", at); !w.end && w.reached() <= key; {
		found, err := w.page(ctx)
		if err != nil {
			return i, false, fmt.Errorf("looking for what stood under %q at %s: %w", key, at.UTC().Format(time.RFC3339), err)
		}
		if len(found) > 0 && found[0].Key == key {
			return found[0], true, nil
		}
	}
	return i, false, nil
}

// listing gives the listing of a directory as far as it is enough, at best the one that is known.
func (p *Past) listing(ctx context.Context, dir string, at time.Time, enough func(*pastListing) bool) (*pastListing, error) {
	key := pastKey{dir, at.UnixNano()}
	for {
		l, flight := p.join(key, enough)
		switch {
		case l != nil:
			return l, nil
		case flight == nil:
			l, err := p.ask(ctx, key, at, enough)
			if err != nil {
				err = fmt.Errorf("listing what stood in %q at %s: %w", dir, at.UTC().Format(time.RFC3339), err)
			}
			return l, err
		}
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// join gives the listing of a directory if it is known, or else what ends when somebody else has
// asked for it. If there is neither, it is the caller's turn.
func (p *Past) join(key pastKey, enough func(*pastListing) bool) (*pastListing, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.get(key); l != nil && (l.whole || enough(l)) {
		return l, nil
	}
	if f := p.flights[key]; f != nil {
		return nil, f
	}
	p.flights[key] = make(chan struct{})
	return nil, nil
}

// ask lists a directory, and lets those go on who wait for that.
func (p *Past) ask(ctx context.Context, key pastKey, at time.Time, enough func(*pastListing) bool) (*pastListing, error) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(p.flights[key])
		delete(p.flights, key)
	}()
	began := time.Now()
	uploads := p.settled.look(ctx, key.dir, at)
	listings := p.begun(key, began)
	l := listings[key.dir]
	b := &pastBuild{
		walk: newPastWalk(p.objects, key.dir, l.done, at), dir: key.dir, began: began, listings: listings,
		keep: func(dir string, l *pastListing) {
			p.mu.Lock()
			defer p.mu.Unlock()
			l.lasts = uploads.lasts(dir, at) && (l.lasts || l.seen == began)
			p.put(pastKey{dir, key.at}, l)
		},
	}
	return l, b.run(ctx, enough)
}

// begun gives the listings that go on with what an earlier walk found: that of a directory, and those
// of the directories below that the walk was in when it stopped.
func (p *Past) begun(key pastKey, now time.Time) map[string]*pastListing {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.get(key)
	if known == nil {
		return map[string]*pastListing{key.dir: {seen: now}}
	}
	listings := map[string]*pastListing{key.dir: known.clone()}
	rest := strings.TrimPrefix(known.done, key.dir)
	for dir := key.dir; ; {
		name, after, inDir := strings.Cut(rest, "/")
		if !inDir {
			return listings
		}
		dir, rest = dir+name+"/", after
		// Somebody may have gone on with it since: then this walk cannot, and its own is of no use.
		if l := p.get(pastKey{dir, key.at}); l != nil && !l.whole && l.done == known.done {
			listings[dir] = l.clone()
		} else {
			listings[dir] = &pastListing{headless: true}
		}
	}
}

// get gives what is remembered of a directory, and is still believed. p.mu is held.
func (p *Past) get(key pastKey) *pastListing {
	e := p.kept[key]
	if e == nil {
		return nil
	}
	l := e.Value.(*keptPast).listing
	if !l.lasts && time.Since(l.seen) >= p.ttl {
		p.drop(e)
		return nil
	}
	p.order.MoveToBack(e)
	return l
}

// put remembers a listing, at the expense of those that were used least. p.mu is held.
func (p *Past) put(key pastKey, l *pastListing) {
	if e := p.kept[key]; e != nil {
		p.drop(e)
	}
	if l.weight() > maxPast || !l.lasts && p.ttl == 0 {
		return
	}
	p.kept[key] = p.order.PushBack(&keptPast{key, l})
	p.weight += l.weight()
	for p.weight > maxPast {
		p.drop(p.order.Front())
	}
}

// drop forgets a listing. p.mu is held.
func (p *Past) drop(e *list.Element) {
	k := p.order.Remove(e).(*keptPast)
	delete(p.kept, k.key)
	p.weight -= k.listing.weight()
}
