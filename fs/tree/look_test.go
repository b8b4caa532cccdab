package tree

import (
	"testing"
	"time"
)

// What a look-up of a directory saw in it, for its times, answers who lists it, and who looks up
// what it shows; not who looks up what it does not show, since nobody looked for that. So it is
// with a look at the root. SEMANTICS G2
func TestLookedAtDirectory(t *testing.T) {
	for _, tt := range []struct {
		name, dir, first string
		look             func(t *testing.T, tr *Tree)
	}{
		{"lookup", "d/", "FIRST d/, HEAD d", func(t *testing.T, tr *Tree) { wantLookup(t, tr, "", "d", "d/*") }},
		{"watch", "", "LIST ", func(t *testing.T, tr *Tree) {
			if err := tr.Watch(t.Context(), ""); err != nil {
				t.Error(err)
			}
		}},
	} {
		for _, last := range []string{"list", "none"} {
			b := newBucket(tt.dir+"a", tt.dir+"s/x")
			inTime(t, b, "", func(t *testing.T, tr *Tree) {
				tt.look(t, tr)
				b.want(t, tt.first)
				wantList(t, tr, tt.dir, "a s/")
				b.want(t, "")
				wantLookup(t, tr, tt.dir, "a", "a*")
				b.want(t, "HEAD "+tt.dir+"a")
				wantLookup(t, tr, tt.dir, "s", "s/*")
				b.want(t, "FIRST "+tt.dir+"s/")
				wantLookup(t, tr, tt.dir, "none", "")
				b.want(t, "FIRST "+tt.dir+"none/, HEAD "+tt.dir+"none")
				b.put(tt.dir + "new")
				b.put(tt.dir + "dir/x")
				wantLookup(t, tr, tt.dir, "new", "new*")
				wantLookup(t, tr, tt.dir, "dir", "dir/*")
				wantLookup(t, tr, tt.dir, "none", "")
				b.asked()

				// Older than the TTL it answers nobody.
				time.Sleep(ttl)
				if last == "list" {
					wantList(t, tr, tt.dir, "a dir/ new s/")
					b.want(t, "LIST "+tt.dir)
				} else {
					wantLookup(t, tr, tt.dir, "a", "a*")
					b.want(t, "FIRST "+tt.dir+"a/, HEAD "+tt.dir+"a")
				}
			})
		}
	}
}

// A directory that only a look-up saw may have given way to a file that nobody looked for.
func TestDirectoryBecameAFile(t *testing.T) {
	b := newBucket("d/s/x", "d/f")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantLookup(t, tr, "", "d", "d/*")
		b.del("d/s/x")
		b.put("d/s")
		b.del("d/f")
		b.put("d/f/x")
		wantLookup(t, tr, "d/", "s", "s*")
		wantLookup(t, tr, "d/", "f", "f/*")
	})
}

// A page that ends at the marker, or at a key that no path names, is not the whole directory.
func TestFirstPageOfTheMarkerAlone(t *testing.T) {
	for _, first := range []string{"d/", "d//x"} {
		b := newBucket(first, "d/a", "d/b")
		b.page = 1
		inTime(t, b, "", func(t *testing.T, tr *Tree) {
			wantLookup(t, tr, "", "d", "d/*")
			wantList(t, tr, "d/", "a b")
			last := changedAt(tr, "d/")
			time.Sleep(2 * ttl)
			wantLookup(t, tr, "", "d", "d/*")
			changedIs(t, tr, "d/", "nothing", last)
			wantList(t, tr, "d/", "a b")
			changedIs(t, tr, "d/", "nothing", last)
		})
	}
}

// A part of a directory that was listed ahead of a reader is compared with nothing: List, and who
// asks for the times, still see what they saw before.
func TestPagesAreNotCompared(t *testing.T) {
	walking(t, 200, func(t *testing.T, b *bucket, tr *Tree) {
		listAll(t, tr, "d/")
		last := changedAt(tr, "d/")
		b.put("d/a")
		time.Sleep(ttl * 3 / 5)
		walkFiles(t, tr, 0, 3, 0) // it is listed again behind the first one
		time.Sleep(4 * oneWay)
		if got := b.kinds(); got["PAGE"] == 0 {
			t.Errorf("requests %v", got)
		}
		changedIs(t, tr, "d/", "a page", last)
		time.Sleep(ttl)
		listAll(t, tr, "d/")
		if !changedAt(tr, "d/").After(last) {
			t.Error("a new file does not show in the times")
		}
	})
}
