package tree

import (
	"strings"
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

// What a HEAD saw after the listing was made goes before it.
func TestListKnowsLaterHeads(t *testing.T) {
	b := newBucket("changed", "gone", "d/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantList(t, tr, "", "changed d/ gone")
		time.Sleep(ttl / 2)
		b.put("changed")
		b.del("gone")
		b.del("d/x")
		wantLookup(t, tr, "", "changed", "changed*")
		wantLookup(t, tr, "", "gone", "")
		wantLookup(t, tr, "", "d", "d/*") // the listing says so
		wantList(t, tr, "", "changed* d/*")
		entries, _ := tr.List(t.Context(), "")
		if e := entries[0]; e.Info.ETag != b.objects["changed"].ETag {
			t.Errorf("changed: %+v", e)
		}
		b.want(t, "HEAD changed, HEAD d/, HEAD gone, LIST ")
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
}
