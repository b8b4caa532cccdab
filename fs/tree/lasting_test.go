package tree

import (
	"testing"
	"time"
)

// SEMANTICS Names: a directory whose last entry this mount removed stays for it.
func TestEmptiedDirectoryStays(t *testing.T) {
	b := newBucket("d/e/x", "f")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantList(t, tr, "", "d/ f")
		b.del("d/e/x")
		tr.Note("d/e/x", nil)
		for range 3 {
			wantLookup(t, tr, "", "d", "d/*")
			wantLookup(t, tr, "d/", "e", "e/*")
			wantList(t, tr, "d/", "e/*")
			wantList(t, tr, "d/e/", "")
			time.Sleep(2 * ttl)
			wantList(t, tr, "", "d/* f")
			time.Sleep(2 * ttl)
		}
		tr.Note("d/e/", nil) // rmdir
		wantLookup(t, tr, "d/", "e", "")
		wantList(t, tr, "d/", "")
		time.Sleep(2 * ttl)
		wantLookup(t, tr, "d/", "e", "")
		wantLookup(t, tr, "", "d", "d/*")
		tr.Note("d/", nil)
		wantList(t, tr, "", "f")
		wantLookup(t, tr, "", "d", "")
		if len(tr.lasting) != 0 {
			t.Errorf("lasting: %v", tr.lasting)
		}
	})
}

// One with a marker stays by its marker. When that goes, others have removed the directory: it is not
// shown here without its mode and owner.
func TestDirectoryWithAMarkerGoesWithIt(t *testing.T) {
	for name, remove := range map[string][]string{"it": {"d/e/"}, "it and its own": {"d/e/", "d/"}} {
		t.Run(name, func(t *testing.T) {
			b := newBucket("d/", "d/e/", "d/e/x")
			inTime(t, b, "", func(t *testing.T, tr *Tree) {
				wantLookup(t, tr, "", "d", "d/*")
				wantLookup(t, tr, "d/", "e", "e/*")
				b.del("d/e/x")
				tr.Note("d/e/x", nil)
				for _, key := range remove {
					b.del(key)
					if tr.Lasting(key) {
						t.Errorf("%s is lasting", key)
					}
				}
				time.Sleep(2 * ttl)
				wantLookup(t, tr, "d/", "e", "")
				if len(remove) == 2 {
					wantLookup(t, tr, "", "d", "")
				}
			})
		})
	}
}

// Removing a directory ends the keeping of all in it: it was moved away.
func TestMovedDirectoryDoesNotStay(t *testing.T) {
	b := newBucket("d/e/x", "d/y")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		for _, key := range []string{"d/e/x", "d/y", "d/"} {
			b.del(key)
			tr.Note(key, nil)
		}
		wantList(t, tr, "", "")
		wantLookup(t, tr, "d/", "e", "")
		if len(tr.lasting) != 0 {
			t.Errorf("lasting: %v", tr.lasting)
		}
	})
}

// A directory that was seen with other entries after our removal goes when others empty it.
func TestDirectoryEmptiedByOthersGoes(t *testing.T) {
	for name, see := range map[string]func(t *testing.T, tr *Tree){
		"lookup":           func(t *testing.T, tr *Tree) { wantLookup(t, tr, "", "d", "d/*") },
		"listing of it":    func(t *testing.T, tr *Tree) { wantList(t, tr, "d/", "y") },
		"listing above it": func(t *testing.T, tr *Tree) { wantList(t, tr, "", "d/") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket("d/x", "d/y")
			inTime(t, b, "", func(t *testing.T, tr *Tree) {
				b.del("d/x")
				tr.Note("d/x", nil)
				see(t, tr)
				b.del("d/y")
				time.Sleep(ttl)
				wantLookup(t, tr, "", "d", "")
				wantList(t, tr, "", "")
			})
		})
	}
}

// A directory with a lasting one in it is not lost when others remove the rest.
func TestParentOfKeptDirectoryStays(t *testing.T) {
	b := newBucket("d/e/x", "d/y")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.del("d/e/x")
		tr.Note("d/e/x", nil)
		wantList(t, tr, "d/", "e/* y")
		wantLookup(t, tr, "", "d", "d/*")
		b.del("d/y")
		time.Sleep(ttl)
		wantLookup(t, tr, "", "d", "d/*")
		wantList(t, tr, "", "d/*")
		wantLookup(t, tr, "d/", "e", "e/*")
	})
}

// An object that others put under the name of a lasting directory is shown as what it is.
func TestObjectInPlaceOfKeptDirectory(t *testing.T) {
	b := newBucket("d/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.del("d/x")
		tr.Note("d/x", nil)
		b.put("d")
		wantLookup(t, tr, "", "d", "d*")
		wantList(t, tr, "", "d*")
	})
}

// New entries by ourselves make it an ordinary directory again.
func TestKeptDirectoryIsUsedAgain(t *testing.T) {
	b := newBucket("d/e/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.del("d/e/x")
		tr.Note("d/e/x", nil)
		i := b.put("d/e/z")
		tr.Note("d/e/z", &i)
		b.del("d/e/z")
		time.Sleep(ttl)
		wantLookup(t, tr, "", "d", "")
		wantLookup(t, tr, "d/", "e", "")
	})
}

// That it had no keys, which was seen before others put one there, does not come up again once
// it is not lasting any more.
func TestKeptDirectoryIsFilledByOthers(t *testing.T) {
	for name, see := range map[string]func(t *testing.T, tr *Tree){
		"listing of it":    func(t *testing.T, tr *Tree) { wantList(t, tr, "d/", "y") },
		"listing above it": func(t *testing.T, tr *Tree) { wantList(t, tr, "", "d/*") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket("d/x")
			inTime(t, b, "", func(t *testing.T, tr *Tree) {
				b.del("d/x")
				tr.Note("d/x", nil)
				wantLookup(t, tr, "", "d", "d/*") // has no keys
				time.Sleep(ttl / 2)
				b.put("d/y")
				see(t, tr)
				wantLookup(t, tr, "", "d", "d/*")
				wantList(t, tr, "", "d/*")
				b.del("d/y")
				time.Sleep(ttl)
				wantLookup(t, tr, "", "d", "")
			})
		})
	}
}
