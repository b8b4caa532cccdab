package tree

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

// changedAt tells when the entries of a directory changed.
func changedAt(tr *Tree, dir string) time.Time {
	at, _ := tr.Changed(dir, Marker{})
	return at
}

// changedIs checks when a directory changed.
func changedIs(t *testing.T, tr *Tree, dir, what string, want time.Time) {
	t.Helper()
	if got := changedAt(tr, dir); !got.Equal(want) {
		t.Errorf("%s: changed at %v, want %v", what, got.Format("05.000000000"), want.Format("05.000000000"))
	}
}

// What appears or vanishes in a directory changes it when it is noticed, by a look-up or a
// listing; what we did ourselves when we did it; and nothing else does.
func TestChanged(t *testing.T) {
	for _, look := range []struct {
		name string
		at   func(t *testing.T, tr *Tree)
	}{
		{"lookup", func(t *testing.T, tr *Tree) { wantLookup(t, tr, "", "d", "d/*") }},
		{"list", func(t *testing.T, tr *Tree) {
			if _, err := tr.List(t.Context(), "d/"); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(look.name, func(t *testing.T) {
			b := newBucket()
			inTime(t, b, "", func(t *testing.T, tr *Tree) {
				b.put("d/")
				first := b.put("d/a")
				time.Sleep(5*time.Second + 300*time.Millisecond)
				last := first.LastModified
				again := func(what string, changes bool) {
					t.Helper()
					time.Sleep(2 * ttl)
					if changes {
						last = time.Now()
					}
					look.at(t, tr)
					changedIs(t, tr, "d/", what, last)
				}
				again("seen first", false)
				again("nothing", false)
				b.put("d/a")
				b.put("d/")
				again("other bytes of a file, and of the marker", false)
				b.put("d/b")
				again("a new file", true)
				b.put("d/s/x")
				again("a new directory", true)
				b.put("d/s/y")
				again("a new file in a directory below", false)
				b.del("d/b")
				again("a file went", true)
				b.del("d/a")
				b.put("d/c")
				again("as many names, and others", true)
				b.del("d/s/x")
				b.del("d/s/y")
				again("a directory went", true)

				own := func(what string, do func()) {
					t.Helper()
					time.Sleep(time.Millisecond)
					tr.Touch("d/")
					last = time.Now()
					do()
					changedIs(t, tr, "d/", what, last)
					again(what+", and later", false)
				}
				note := func(key string, i *store.Info) func() {
					return func() {
						if i == nil {
							b.del(key)
							tr.Note(key, nil)
							return
						}
						made := b.put(key)
						time.Sleep(ttl / 2)
						tr.Note(key, &made)
					}
				}
				own("our file", note("d/o", &store.Info{}))
				own("our file again", note("d/o", &store.Info{}))
				own("our directory", note("d/q/", &store.Info{}))
				own("our removal", note("d/o", nil))
				own("our removal of a directory", note("d/q/", nil))
				own("a file below", note("d/w/x", &store.Info{}))
				own("the last file below", note("d/w/x", nil)) // d/w/ stays, for us
				own("the directory", note("d/w/", nil))
				b.put("d/z")
				again("theirs", true)
			})
		})
	}
}

// Two changes have two times, also while the clock stands still or was set back.
func TestTouchTwice(t *testing.T) {
	inTime(t, newBucket(), "", func(t *testing.T, tr *Tree) {
		if !changedAt(tr, "d/").IsZero() {
			t.Error("a directory that nobody looked at has a time")
		}
		tr.Touch("d/")
		first := changedAt(tr, "d/")
		tr.Touch("d/")
		if second := changedAt(tr, "d/"); !second.After(first) {
			t.Errorf("%v, then %v", first, second)
		}
	})
}

// A directory that was made here is not looked at for a while. Then what others put there shows,
// and what we did does not count twice.
func TestChangedBeforeItWasSeen(t *testing.T) {
	for _, theirs := range []bool{false, true} {
		b := newBucket()
		inTime(t, b, "", func(t *testing.T, tr *Tree) {
			marker := b.put("d/")
			tr.Note("d/", &marker)
			tr.Touch("d/")
			last := changedAt(tr, "d/")
			time.Sleep(1500 * time.Millisecond)
			ours := b.put("d/ours")
			tr.Note("d/ours", &ours)
			if theirs {
				b.put("d/theirs")
			}
			time.Sleep(2 * ttl)
			if theirs {
				last = time.Now()
			}
			wantLookup(t, tr, "", "d", "d/*")
			changedIs(t, tr, "d/", fmt.Sprint("theirs: ", theirs), last)
		})
	}
}

// A directory of more than a page changes when it is listed, and its look-ups ask for one key.
func TestChangedLargeDirectory(t *testing.T) {
	b := newBucket()
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		for i := range firstPage + 1 {
			b.put(fmt.Sprintf("d/%04d", i))
		}
		look := func() { time.Sleep(2 * ttl); wantLookup(t, tr, "", "d", "d/*") }
		list := func() {
			time.Sleep(2 * ttl)
			if entries, err := tr.List(t.Context(), "d/"); err != nil || len(entries) < firstPage-1 {
				t.Errorf("%d entries: %v", len(entries), err)
			}
		}
		start := time.Now()
		for range 2 {
			look()
			list()
		}
		changedIs(t, tr, "d/", "nothing", start)
		time.Sleep(2 * ttl)
		wantList(t, tr, "", "d/")
		b.asked()
		wantLookup(t, tr, "", "d", "d/*")
		b.want(t, "HEAD d/") // one key would tell nothing
		b.put("d/0")
		look()
		changedIs(t, tr, "d/", "a new file, looked up", start)
		list()
		changedIs(t, tr, "d/", "a new file, listed", time.Now())
		b.del("d/0")
		b.del("d/0000")
		b.del("d/0001")
		list()
		now := time.Now()
		changedIs(t, tr, "d/", "three went", now)
		wantList(t, tr, "", "d/")
		b.asked()
		wantLookup(t, tr, "", "d", "d/*")
		b.want(t, "HEAD d/") // the listing of above is new enough, and tells
		look()
		b.put("d/1")
		look()
		changedIs(t, tr, "d/", "it is not large any more", time.Now())
	})
}

// An answer that a failed change of ours may be missing in is compared with nothing, and neither
// is no answer.
func TestNotCompared(t *testing.T) {
	b := newBucket("d/a")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantLookup(t, tr, "", "d", "d/*")
		last := changedAt(tr, "d/")
		b.put("d/b")
		time.Sleep(2 * ttl)
		b.way = func() time.Duration { return 10 * time.Millisecond }
		time.AfterFunc(15*time.Millisecond, func() { tr.Forget("d/b") })
		if _, err := tr.List(t.Context(), "d/"); err != nil {
			t.Error(err)
		}
		changedIs(t, tr, "d/", "forgotten meanwhile", last)
		b.way = nil
		b.fail["FIRST d/"] = errors.New("down")
		if _, err := tr.Lookup(t.Context(), "", "d"); err == nil {
			t.Error("no error")
		}
		changedIs(t, tr, "d/", "no answer", last)
	})
}

// That the name is known well enough, from other requests and our own change of the marker, does
// not tell whether the entries changed.
func TestChangedThoughTheNameIsKnown(t *testing.T) {
	b := newBucket()
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.put("d/")
		wantLookup(t, tr, "", "d", "d/*")
		time.Sleep(ttl * 9 / 10)
		wantList(t, tr, "", "d/*")
		marker := b.put("d/")
		tr.Note("d/", &marker)
		b.put("d/theirs")
		time.Sleep(ttl * 6 / 10)
		wantLookup(t, tr, "", "d", "d/*")
		changedIs(t, tr, "d/", "theirs", time.Now())
	})
}

// What is remembered of directories is bounded. Of one that is too large for that the time is.
func TestWatchedIsBounded(t *testing.T) {
	inTime(t, newBucket(), "", func(t *testing.T, tr *Tree) {
		names := newListing(time.Now())
		names.end = true
		for i := range maxNames / 4 {
			names.dirs[fmt.Sprint(i)] = true
		}
		for i := range 6 {
			tr.mu.Lock()
			tr.compare(fmt.Sprintf("d%d/", i), names)
			if tr.watched.weight > maxNames {
				t.Errorf("%d names are remembered", tr.watched.weight)
			}
			tr.mu.Unlock()
		}
		tr.Touch("huge/")
		last := changedAt(tr, "huge/")
		for i := range maxNames {
			names.dirs[fmt.Sprint(i)] = true
		}
		time.Sleep(time.Second)
		tr.mu.Lock()
		tr.compare("huge/", names)
		tr.mu.Unlock()
		changedIs(t, tr, "huge/", "listed", last)
	})
}

// A marker that we put where we knew of nothing, as chmod does in an emptied directory, does not
// make its times older.
func TestMarkerKeepsTheTime(t *testing.T) {
	inTime(t, newBucket("d/x"), "", func(t *testing.T, tr *Tree) {
		wantList(t, tr, "d/", "x")
		tr.Note("d/x", nil)
		tr.Touch("d/")
		last := changedAt(tr, "d/")
		tr.Note("d/", &store.Info{LastModified: time.Unix(1, 0)})
		changedIs(t, tr, "d/", "its marker", last)
	})
}
