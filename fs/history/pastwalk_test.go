package history

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// visit walks through a directory as find does.
func visit(t *testing.T, p *Past, dir string, at time.Time) (entries int) {
	t.Helper()
	list, err := p.List(t.Context(), dir, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if found, err := p.Lookup(t.Context(), dir, e.Name, at); err != nil || found.Key != e.Key {
			t.Fatalf("%q: %+v, %v", e.Key, found, err)
		}
		entries++
		if e.Dir {
			entries += visit(t, p, e.Key, at)
		}
	}
	return entries
}

// A walk through a tree asks for each page of versions once, and once for the uploads under way; what
// cannot change is not asked for again.
func TestRequestsOfAWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &pastBucket{bucket: &bucket{page: 10}, delay: 100 * time.Millisecond}
		keys := 0
		for d := range 8 {
			for s := range 3 {
				for f := range 4 {
					b.add(fmt.Sprintf("d%d/s%d/f%d", d, s, f), "v", 0)
					keys++
				}
			}
		}
		time.Sleep(time.Until(noon.AddDate(0, 0, 1)))
		p := NewPast(b, PastOptions{TTL: time.Second})
		if n := visit(t, p, "", noon); n != keys+8+8*3 {
			t.Errorf("%d entries", n)
		}
		if want := (keys + 9) / 10; b.requests != want || b.asked != 1 {
			t.Errorf("%d requests for %d keys by pages of 10, and %d for the uploads; want %d and 1", b.requests, keys, b.asked, want)
		}
		b.requests = 0
		time.Sleep(time.Hour)
		visit(t, p, "", noon)
		visit(t, p, "", noon.Add(0))
		if b.requests != 0 || b.asked != 1 {
			t.Errorf("%d requests, and %d for uploads, for what is known", b.requests, b.asked)
		}
		// Another time is another listing.
		visit(t, p, "d1/", noon.Add(time.Second))
		if b.requests != 2 || b.asked != 1 {
			t.Errorf("%d requests, and %d for uploads, for a directory of 12 keys", b.requests, b.asked)
		}
	})
}

// Whoever looks at the root of a large tree, or into a directory far below, does not list all of it; a
// walk through all of it asks for little more than each page once.
func TestRequestsInALargeTree(t *testing.T) {
	b := &pastBucket{bucket: &bucket{page: 10}}
	for d := range 5 {
		for f := range 200 {
			b.add(fmt.Sprintf("big%d/sub/f%03d", d, f), "v", 0)
		}
	}
	b.add("z", "v", 0)
	b.add("z", "w", 1)
	for i := range 100 {
		b.del(fmt.Sprintf("dead/f%03d", i), "v", 0)
	}
	const pages = 111
	ask := func(what string, most int, f func(p *Past)) {
		t.Helper()
		p := NewPast(b, PastOptions{TTL: time.Hour})
		b.requests = 0
		f(p)
		if b.requests > most {
			t.Errorf("%s: %d requests, want %d at the most", what, b.requests, most)
		}
	}
	ask("the root", 10+2*5+11, func(p *Past) {
		if got, err := p.List(t.Context(), "", noon.Add(time.Minute)); err != nil || asListed(got) !=
			"big0/=big0/@ big1/=big1/@ big2/=big2/@ big3/=big3/@ big4/=big4/@ z=z@w" {
			t.Errorf("the root: %s, %v", asListed(got), err)
		}
	})
	ask("a file", 6, func(p *Past) {
		dir := ""
		for _, name := range []string{"big3", "sub", "f177"} {
			e, err := p.Lookup(t.Context(), dir, name, noon.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			dir = e.Key
		}
	})
	ask("a walk", pages+3*5+1, func(p *Past) {
		if n := visit(t, p, "", noon.Add(time.Minute)); n != 5*202+1 {
			t.Errorf("%d entries", n)
		}
	})
	ask("what never was", 1+1+1, func(p *Past) {
		if _, err := p.Lookup(t.Context(), "", "none", noon); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

// A server that goes on somewhere else than it was asked to is no reason to go round in circles.
func TestPastOfAServerThatIgnoresMarkers(t *testing.T) {
	b := &pastBucket{bucket: &bucket{page: 1}, deaf: true}
	for i := range 3 * wholePages {
		b.add(fmt.Sprintf("d/f%02d", i), "v", 0)
	}
	b.add("z", "v", 0)
	p := NewPast(b, PastOptions{TTL: time.Hour})
	if got, err := p.List(t.Context(), "", noon); err == nil || !strings.Contains(err.Error(), "begins with") {
		t.Errorf("%s, %v", asListed(got), err)
	}
	if got, err := p.List(t.Context(), "d/", noon); err != nil || len(got) != 3*wholePages {
		t.Errorf("%d entries, %v", len(got), err)
	}
}
