package tree

import (
	"strings"
	"sync"
	"testing"
	"time"
)

func TestList(t *testing.T) {
	long := strings.Repeat("n", 255)
	b := newBucket("b", "a-b", "a/x", "a.b", "d/", "e/f/g", "z",
		// what no path can name, and what is the program's own
		"/", "/x", "./x", "..", "nul\x00", "bad\xff", long+"n", ".latchfs/bucket.json", ".latchfs")
	for page := 1; page < 8; page += 3 {
		b.page = page
		tr := New(b, Options{})
		wantList(t, tr, "", "a/ a-b a.b b d/ e/ z")
		wantList(t, tr, "d/", "")
		wantList(t, tr, "e/", "f/")
		wantList(t, tr, "none/", "")
	}
}

func TestListIsRememberedForTTL(t *testing.T) {
	b := newBucket("a", "d/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.way = func() time.Duration { return 50 * time.Millisecond }
		wantList(t, tr, "", "a d/")
		b.put("b")
		time.Sleep(ttl - 100*time.Millisecond - 1) // counted from when it was sent
		wantList(t, tr, "", "a d/")
		b.want(t, "LIST ")
		time.Sleep(time.Nanosecond)
		wantList(t, tr, "", "a b d/")
	})
}

// Entries have the properties of an earlier HEAD while the listing shows the same version.
func TestListIsCompletedFromHeads(t *testing.T) {
	b := newBucket("same", "changed", "touched", "gone", "m/", "i/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		time.Sleep(300 * time.Millisecond) // the bucket lists fractions of seconds
		b.put("same")
		time.Sleep(time.Minute)
		for _, name := range []string{"same", "changed", "touched", "gone"} {
			wantLookup(t, tr, "", name, name+"*")
		}
		b.put("changed")
		b.del("gone")
		time.Sleep(10 * ttl)
		touched := b.objects["touched"] // a copy onto itself: the same ETag, and other properties
		touched.LastModified = time.Now()
		b.objects["touched"] = touched
		wantList(t, tr, "", "changed i/ m/ same* touched")
		entries, _ := tr.List(t.Context(), "")
		if e := entries[3]; e.Info.Props.Meta["id"] != e.Info.ETag || e.Info.VersionID == "" || !e.Seen.Equal(time.Now()) {
			t.Errorf("same: %+v", e)
		}
		wantLookup(t, tr, "", "m", "m/*")
		wantLookup(t, tr, "", "i", "i/*")
		wantList(t, tr, "", "changed i/* m/* same* touched")
		entries, _ = tr.List(t.Context(), "")
		if entries[2].Info.ETag != b.objects["m/"].ETag || entries[1].Info.ETag != "" {
			t.Errorf("directories: %+v", entries[1:3])
		}
	})
}

// A copy onto itself within the second in which the version before it was made looks the same in a
// listing. So what a HEAD said of that one is believed for the TTL, and is no newer for the listing.
func TestListOfChangesWithinASecond(t *testing.T) {
	b := newBucket("f")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		headed := time.Now()
		wantLookup(t, tr, "", "f", "f*")
		changed := b.objects["f"]
		changed.VersionID, changed.Props.Meta = "other", map[string]string{"id": "other"}
		b.objects["f"] = changed
		time.Sleep(ttl - 1)
		wantList(t, tr, "", "f*")
		if entries, _ := tr.List(t.Context(), ""); !entries[0].Seen.Equal(headed) {
			t.Errorf("seen %s after the HEAD", entries[0].Seen.Sub(headed))
		}
		time.Sleep(2 * ttl)
		wantList(t, tr, "", "f")
		if e := wantLookup(t, tr, "", "f", "f*"); e.Info.VersionID != "other" {
			t.Errorf("%+v", e.Info)
		}
	})
}

// What a HEAD saw after the listing was made goes before it.
func TestListKnowsLaterHeads(t *testing.T) {
	b := newBucket("changed", "gone", "d/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantList(t, tr, "", "changed d/ gone")
		time.Sleep(ttl / 2)
		b.put("changed")
		b.del("gone")
		wantLookup(t, tr, "", "changed", "changed*")
		wantLookup(t, tr, "", "gone", "")
		wantLookup(t, tr, "", "d", "d/*") // the listing says so, but not when it changed
		wantList(t, tr, "", "changed* d/*")
		entries, _ := tr.List(t.Context(), "")
		if e := entries[0]; e.Info.ETag != b.objects["changed"].ETag {
			t.Errorf("changed: %+v", e)
		}
		b.want(t, "FIRST d/, HEAD changed, HEAD gone, LIST ")
		wantLookup(t, tr, "", "changed", "changed*")
		b.want(t, "")
	})
}

// Another version in a later listing makes that of a HEAD old, also within the TTL.
func TestHeadIsOlderThanTheListing(t *testing.T) {
	b := newBucket("changed", "gone")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantLookup(t, tr, "", "changed", "changed*")
		wantLookup(t, tr, "", "come", "")
		time.Sleep(ttl / 2)
		b.put("changed")
		b.put("come")
		b.put("dir/x")
		wantList(t, tr, "", "changed come dir/ gone")
		b.asked()
		if e := wantLookup(t, tr, "", "changed", "changed*"); e.Info.ETag != b.objects["changed"].ETag {
			t.Errorf("changed: ETag %q", e.Info.ETag)
		}
		wantLookup(t, tr, "", "come", "come*")
		b.want(t, "HEAD changed, HEAD come")
	})
}

// A listing that is slow does not take back what was asked for and answered meanwhile.
func TestSlowListing(t *testing.T) {
	b := newBucket("changed", "gone", "gonedir/x", "more")
	b.page = 3
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		way := b.changingWay(100 * time.Millisecond)
		var wg sync.WaitGroup
		wg.Go(func() { tr.List(t.Context(), "") })
		time.Sleep(150 * time.Millisecond) // the first page was read
		changed := b.put("changed")
		b.put("come")
		b.put("comedir/x")
		b.del("gone")
		b.del("gonedir/x")
		way.Store(0)
		look := func() {
			t.Helper()
			if e := wantLookup(t, tr, "", "changed", "changed*"); e.Info.ETag != changed.ETag {
				t.Errorf("changed: ETag %q", e.Info.ETag)
			}
			wantLookup(t, tr, "", "come", "come*")
			wantLookup(t, tr, "", "comedir", "comedir/*")
			wantLookup(t, tr, "", "gone", "")
			wantLookup(t, tr, "", "gonedir", "")
		}
		look()
		wg.Wait()
		look()
		wantList(t, tr, "", "changed* more")
		if entries, _ := tr.List(t.Context(), ""); time.Since(entries[1].Seen) >= time.Since(changed.LastModified) {
			t.Error("the last page is as old as the first")
		}
	})
}

func TestOldListingsAreDropped(t *testing.T) {
	b := newBucket("a/x", "b/x", "c/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantList(t, tr, "a/", "x")
		wantList(t, tr, "b/", "x")
		time.Sleep(ttl)
		wantList(t, tr, "c/", "x")
		if tr.listings.weight != 2 {
			t.Errorf("weight %d", tr.listings.weight)
		}
	})
}

func TestListIsTheCallers(t *testing.T) {
	b := newBucket("a", "b")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		for range 2 {
			entries, err := tr.List(t.Context(), "")
			if err != nil || names(entries, "") != "a b" {
				t.Errorf("%v, %v", entries, err)
			}
			clear(entries)
		}
	})
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.way = func() time.Duration { return time.Millisecond }
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				entries, err := tr.List(t.Context(), "")
				if err != nil || names(entries, "") != "a b" {
					t.Errorf("%v, %v", entries, err)
				}
				clear(entries)
			})
		}
		wg.Wait()
	})
}
