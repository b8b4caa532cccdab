package tree

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const ttl = time.Second

// inTime runs a test with its own clock.
func inTime(t *testing.T, b *bucket, prefix string, test func(t *testing.T, tr *Tree)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, New(b, Options{Prefix: prefix, TTL: ttl})) })
}

func TestLookupAsksAtOnceAndRemembers(t *testing.T) {
	b := newBucket("f", "m/", "m/x", "i/x/y", "d/e/f", ".latchfs/bucket.json")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.way = func() time.Duration { return 10 * time.Millisecond }
		for _, tt := range []struct {
			dir, name, want, requests string
			ways                      int
		}{
			{"", "f", "f*", "FIRST f/, HEAD f", 2},
			{"", "m", "m/*", "FIRST m/, HEAD m, HEAD m/", 4}, // the marker's properties
			{"", "i", "i/*", "FIRST i/, HEAD i", 2},
			{"", "none", "", "FIRST none/, HEAD none", 2},
			{"d/", "e", "e/*", "FIRST d/e/, HEAD d/e", 2},
			{"", ".latchfs", "", "", 0},
			{"", "..", "", "", 0},
		} {
			for again := range 2 {
				start := time.Now()
				e := wantLookup(t, tr, tt.dir, tt.name, tt.want)
				if again > 0 {
					tt.requests, tt.ways = "", 0
				}
				b.want(t, tt.requests)
				if took := time.Since(start); took != time.Duration(tt.ways)*10*time.Millisecond {
					t.Errorf("Lookup %q took %s", tt.dir+tt.name, took)
				}
				if has := b.objects[e.Key].ETag; has != e.Info.ETag {
					t.Errorf("Lookup %q: ETag %q, want %q", tt.dir+tt.name, e.Info.ETag, has)
				}
			}
		}
		if e := wantLookup(t, tr, "", "f", "f*"); e.Info.Props.Meta["id"] != e.Info.ETag || time.Since(e.Seen) < 100*time.Millisecond {
			t.Errorf("f: %+v", e)
		}
	})
}

// S3 may answer a listing with fewer keys than there are, even none.
func TestEmptyPages(t *testing.T) {
	b := newBucket("i/x", "m/")
	b.blank = true
	tr := New(b, Options{})
	wantLookup(t, tr, "", "i", "i/*")
	wantLookup(t, tr, "", "m", "m/*")
	wantLookup(t, tr, "", "none", "")
	wantList(t, tr, "", "i/ m/")
}

func TestLookupTellsWhatCannotBe(t *testing.T) {
	b := newBucket()
	tr := New(b, Options{})
	for name, want := range map[string]error{
		strings.Repeat("n", 256):          ErrNameTooLong,
		"\xff":                            ErrNotUTF8,
		strings.Repeat("n", 251) + suffix: ErrNameTooLong,
	} {
		if _, err := tr.Lookup(t.Context(), "", name); !errors.Is(err, want) {
			t.Errorf("Lookup %.10q: %v, want %v", name, err, want)
		}
	}
	b.want(t, "")
}

func TestChangesByOthersShowWithinTTL(t *testing.T) {
	b := newBucket("gone", "changed", "file", "dir/x", "m/")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		look := func(gone, changed, file, dir, come, m string) {
			t.Helper()
			wantLookup(t, tr, "", "gone", gone)
			if e := wantLookup(t, tr, "", "changed", "changed*"); e.Info.ETag != changed {
				t.Errorf("changed: ETag %q, want %q", e.Info.ETag, changed)
			}
			wantLookup(t, tr, "", "file", file)
			wantLookup(t, tr, "", "dir", dir)
			wantLookup(t, tr, "", "come", come)
			wantLookup(t, tr, "", "m", m)
		}
		look("gone*", "e2", "file*", "dir/*", "", "m/*")
		b.del("gone")
		b.put("changed") // e6
		b.del("file")
		b.put("file/x")
		b.del("dir/x")
		b.put("dir")
		b.put("come")
		b.del("m/")
		time.Sleep(ttl - 1)
		look("gone*", "e2", "file*", "dir/*", "", "m/*")
		time.Sleep(time.Nanosecond)
		look("", "e6", "file/*", "dir*", "come*", "")
	})
}

// A listing answers what is absent, and one of the two questions about what is there; of a
// directory in it it does not tell when that changed.
func TestLookupUsesTheListing(t *testing.T) {
	b := newBucket("d/f", "d/m/", "d/m/x", "d/i/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantList(t, tr, "d/", "f i/ m/")
		b.want(t, "LIST d/")
		time.Sleep(ttl / 2)
		wantLookup(t, tr, "d/", "none", "")
		b.want(t, "")
		if e := wantLookup(t, tr, "d/", "f", "f*"); time.Since(e.Seen) != ttl/2 {
			t.Errorf("seen %s ago: that it is no directory is as old as the listing", time.Since(e.Seen))
		}
		b.want(t, "HEAD d/f")
		wantLookup(t, tr, "d/", "m", "m/*")
		b.want(t, "FIRST d/m/, HEAD d/m/")
		wantLookup(t, tr, "d/", "i", "i/*")
		b.want(t, "FIRST d/i/")
		b.put("d/none")
		time.Sleep(ttl / 2)
		wantLookup(t, tr, "d/", "none", "none*")
	})
}

func TestLookupFails(t *testing.T) {
	broken := errors.New("broken")
	for _, request := range []string{"HEAD m", "FIRST m/", "HEAD m/"} {
		b := newBucket("m/", "m/x")
		inTime(t, b, "", func(t *testing.T, tr *Tree) {
			b.fail[request] = broken
			if _, err := tr.Lookup(t.Context(), "", "m"); !errors.Is(err, broken) {
				t.Errorf("%s fails: %v", request, err)
			}
			delete(b.fail, request)
			wantLookup(t, tr, "", "m", "m/*") // an error is not remembered
		})
	}
	b := newBucket("a")
	b.fail["LIST "] = broken
	if _, err := New(b, Options{}).List(t.Context(), ""); !errors.Is(err, broken) {
		t.Errorf("List fails: %v", err)
	}
}

func TestLookupsShareRequests(t *testing.T) {
	b := newBucket("f")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.way = func() time.Duration { return 10 * time.Millisecond }
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { wantLookup(t, tr, "", "f", "f*") })
			wg.Go(func() { wantList(t, tr, "d/", "") })
		}
		wg.Wait()
		b.want(t, "FIRST f/, HEAD f, LIST d/")
	})
}

// Who gives up leaves the others their answer, and nobody's requests go on.
func TestLookupGivenUp(t *testing.T) {
	b := newBucket("f")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.way = func() time.Duration { return time.Second / 4 }
		first, giveUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := tr.Lookup(first, "", "f"); !errors.Is(err, context.Canceled) {
				t.Errorf("given up: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { wantLookup(t, tr, "", "f", "f*") })
		synctest.Wait()
		giveUp()
		wg.Wait()
		b.want(t, "FIRST f/, HEAD f")

		time.Sleep(ttl)
		only, giveUp := context.WithCancel(t.Context())
		wg.Go(func() { tr.Lookup(only, "", "f") })
		synctest.Wait()
		giveUp()
		wg.Wait()
		wantLookup(t, tr, "", "f", "f*") // joins no requests that were cancelled
		b.want(t, "FIRST f/, HEAD f")
	})
}

// Requests that hang for longer than an answer may be old are not joined.
func TestOldRequestsAreNotJoined(t *testing.T) {
	b := newBucket("f")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		way := b.changingWay(2 * ttl)
		var wg sync.WaitGroup
		wg.Go(func() { wantLookup(t, tr, "", "f", "f*") })
		synctest.Wait()
		time.Sleep(ttl)
		way.Store(0)
		start := time.Now()
		wantLookup(t, tr, "", "f", "f*")
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %s", took)
		}
		wg.Wait()
	})
}

// With no TTL everything is asked every time, the marker once.
func TestNoTTL(t *testing.T) {
	b := newBucket("i/x")
	tr := New(b, Options{})
	for range 2 {
		wantLookup(t, tr, "", "i", "i/*")
		b.want(t, "FIRST i/, HEAD i")
		wantList(t, tr, "", "i/")
		b.want(t, "LIST ")
	}
}

func TestRootIsAPrefix(t *testing.T) {
	b := newBucket("a", "a/", "a/b/", "a/b/f", "a/b/d/x", "a/bc", ".latchfs/bucket.json")
	inTime(t, b, "a/b/", func(t *testing.T, tr *Tree) {
		if tr.Root() != "a/b/" {
			t.Errorf("root %q", tr.Root())
		}
		wantList(t, tr, tr.Root(), "d/ f")
		wantLookup(t, tr, tr.Root(), "f", "f*")
		// Notes of what is not in the mount concern nobody.
		for _, key := range []string{"a", "a/bc", "a/b/", "x"} {
			tr.Note(key, nil)
			tr.Forget(key)
		}
		b.asked()
		wantList(t, tr, tr.Root(), "d/ f*")
		b.want(t, "")
	})
}

// Nor are requests whose answer is put together with what was known before, when that is too
// old by now.
func TestOldKnowledgeIsNotJoined(t *testing.T) {
	b := newBucket("d/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantList(t, tr, "", "d/")
		time.Sleep(ttl - 10*time.Millisecond)
		b.way = func() time.Duration { return 10 * time.Millisecond }
		var wg sync.WaitGroup
		wg.Go(func() { wantLookup(t, tr, "", "d", "d/*") }) // it has no marker, the listing had it
		time.Sleep(10 * time.Millisecond)
		time.AfterFunc(5*time.Millisecond, func() { b.del("d/x") })
		wantLookup(t, tr, "", "d", "")
		wg.Wait()
	})
}
