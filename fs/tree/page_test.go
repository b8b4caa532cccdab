package tree

import (
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Who has a list of his own, and looks its names up in their order, has the directory listed.
func TestWalkWithoutListing(t *testing.T) {
	walking(t, 500, func(t *testing.T, b *bucket, tr *Tree) {
		start := time.Now()
		walkFiles(t, tr, 0, 500, 0)
		if took := time.Since(start); took > 15*2*oneWay {
			t.Errorf("took %s", took)
		}
		if got := b.kinds(); got["HEAD"] != 500 || got["LIST"] != 1 || got["FIRST"] > 5 {
			t.Errorf("requests %v", got)
		}
	})
	// If there is more than a request lists, what is in front of him counts.
	walking(t, 3000, func(t *testing.T, b *bucket, tr *Tree) {
		walkFiles(t, tr, 2000, 2500, 0)
		if got := b.kinds(); got["HEAD"] > 500+64 || got["LIST"] != 1 || got["PAGE"] != 1 || got["FIRST"] > 6 {
			t.Errorf("requests %v", got)
		}
	})
	// Names at random do that too: a LIST in a TTL is the most.
	walking(t, 5000, func(t *testing.T, b *bucket, tr *Tree) {
		start := time.Now()
		for i := range 300 {
			at := 4999 - i*i*37%4999
			walkFiles(t, tr, at, at+1, 0)
		}
		if got := b.kinds(); got["LIST"] < 1 || got["LIST"] > 1+int(time.Since(start)/ttl) || got["PAGE"] > 2*got["LIST"] {
			t.Errorf("requests %v in %s", got, time.Since(start))
		}
	})
	// Neither who searches, nor who goes backwards, nor who comes back later.
	walking(t, 500, func(t *testing.T, b *bucket, tr *Tree) {
		for i := range 10 {
			walkFiles(t, tr, 10*i, 10*i+1, 0)
			walkFiles(t, tr, 10*i+1, 10*i+2, 0)
			wantLookup(t, tr, "d/", file(10*i+2)+"none", "")
		}
		for i := 300; i > 290; i-- {
			walkFiles(t, tr, i, i+1, 0)
		}
		for i := range 5 {
			time.Sleep(ttl)
			walkFiles(t, tr, 400+i, 401+i, 0)
		}
		wantKinds(t, b, map[string]int{"FIRST": 45, "HEAD": 45})
	})
}

// What this mount does itself shows at once, whatever is under way ahead of a reader.
func TestOwnChangesOfAWalk(t *testing.T) {
	for at := range 4 { // before, at and after the bucket's answers
		walking(t, 200, func(t *testing.T, b *bucket, tr *Tree) {
			b.put("d/k/old")
			listAll(t, tr, "d/")
			time.Sleep(ttl / 2) // a part will be listed
			wantLookup(t, tr, "d/", file(0), file(0)+"*")
			time.Sleep(time.Duration(at)*oneWay - 2*oneWay)
			b.del("d/" + file(5))
			tr.Note("d/"+file(5), nil)
			changed, made, below := b.put("d/"+file(6)), b.put("d/"+file(7)+"a"), b.put("d/"+file(8)+"b/c")
			for _, i := range []*store.Info{&changed, &made, &below} {
				tr.Note(i.Key, i)
			}
			for range 2 {
				wantLookup(t, tr, "d/", file(5), "")
				if e := wantLookup(t, tr, "d/", file(6), file(6)+"*"); e.Info.ETag != changed.ETag {
					t.Errorf("ETag %q", e.Info.ETag)
				}
				wantLookup(t, tr, "d/", file(7)+"a", file(7)+"a*")
				wantLookup(t, tr, "d/", file(8)+"b", file(8)+"b/*")
				walkFiles(t, tr, 9, 20, 0)
				time.Sleep(ttl / 4)
			}
		})
	}
}

// What nobody here looked for, and was absent when something was asked ahead, is there as soon as
// another host has made it. SEMANTICS G2
func TestAheadOfOthersChanges(t *testing.T) {
	walking(t, 200, func(t *testing.T, b *bucket, tr *Tree) {
		walkFiles(t, tr, 0, 3, 0) // and now the directory is listed
		time.Sleep(3 * oneWay)
		b.put("d/new")
		wantLookup(t, tr, "d/", "new", "new*")
		b.put("d/" + file(3) + "a/x")
		wantLookup(t, tr, "d/", file(3)+"a", file(3)+"a/*")
		b.put("d/other")
		wantList(t, tr, "d/e/", "")
		entries, err := tr.List(t.Context(), "d/")
		if err != nil || len(entries) != 203 {
			t.Errorf("%d entries, %v", len(entries), err)
		}
	})
	// A file became a directory.
	walking(t, 200, func(t *testing.T, b *bucket, tr *Tree) {
		walkFiles(t, tr, 0, 3, 0)
		time.Sleep(3 * oneWay)
		b.del("d/" + file(150))
		b.put("d/" + file(150) + "/x")
		wantLookup(t, tr, "d/", file(150), file(150)+"/*")
	})
	// It was away for a moment.
	walking(t, 200, func(t *testing.T, b *bucket, tr *Tree) {
		listAll(t, tr, "d/")
		b.del("d/" + file(1))
		wantLookup(t, tr, "d/", file(0), file(0)+"*")
		b.put("d/" + file(1))
		time.Sleep(3 * oneWay)
		wantLookup(t, tr, "d/", file(1), file(1)+"*")
	})
}
