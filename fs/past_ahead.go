package fs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/latchfs/latchfs/store"
)

const (
	// maxPastAhead is how many versions are asked for at a time before somebody looks them up, as of
	// the live tree, and how many answers are kept.
	maxPastAhead = 64
	// keepPastAhead is how long an answer is kept for who does not come.
	keepPastAhead = 10 * time.Second
)

// pastAhead asks for the attributes of versions that are likely to be looked up next: a listing has no
// modes, and a program that walks through a tree of the past asks for one file after the other.
type pastAhead struct {
	mu sync.Mutex // guards what follows; a leaf, and not held over a request
	m  map[string]*coming
}

// coming is an answer; done is closed when it is there.
type coming struct {
	done chan struct{}
	info store.Info
	err  error
}

type completer func(ctx context.Context, i store.Info) (store.Info, error)

func versionKey(i store.Info) string { return i.Key + "\x00" + i.VersionID + "\x00" + i.ETag }

// ask has a version completed, unless that is done already or there are too many. ok is false if
// there are.
func (p *pastAhead) ask(i store.Info, complete completer) (ok bool) {
	key := versionKey(i)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m[key] != nil {
		return true
	}
	if len(p.m) >= maxPastAhead {
		return false
	}
	c := &coming{done: make(chan struct{})}
	p.m[key] = c
	go func() {
		c.info, c.err = complete(context.Background(), i)
		close(c.done)
		time.AfterFunc(keepPastAhead, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.m[key] == c {
				delete(p.m, key)
			}
		})
	}()
	return true
}

// take gives a version with all properties, as it was asked for or now.
func (p *pastAhead) take(ctx context.Context, i store.Info, complete completer) (store.Info, error) {
	key := versionKey(i)
	p.mu.Lock()
	c := p.m[key]
	delete(p.m, key)
	p.mu.Unlock()
	if c == nil {
		return complete(ctx, i)
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return store.Info{}, context.Cause(ctx)
	}
	if c.err != nil && !errors.Is(c.err, store.ErrNotFound) {
		return complete(ctx, i)
	}
	return c.info, c.err
}

// lookAhead asks for what follows a name that is looked up, if the one that was looked up before is
// close in front of it.
func (d *pastDir) lookAhead(name string) {
	const nearBy = 8
	before := d.last.Swap(&name)
	if before == nil || *before >= name {
		return
	}
	near := false
	for _, e := range d.f.past.Following(d.dir, *before, d.at, nearBy) {
		near = near || e.Name == name
	}
	if !near {
		return
	}
	for _, e := range d.f.past.Following(d.dir, name, d.at, maxPastAhead) {
		if e.Info.ETag == "" || d.GetChild(e.Name) != nil {
			continue // without a marker, or known
		}
		if !d.f.pastAhead.ask(e.Info, d.f.complete) {
			return
		}
	}
}
