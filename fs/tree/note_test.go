package tree

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// What this mount changes shows at once, without a request.
func TestNote(t *testing.T) {
	b := newBucket("old", "gone", "d/x", "rm/")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantList(t, tr, "", "d/ gone old rm/")
		wantList(t, tr, "d/", "x")
		wantLookup(t, tr, "", "q", "")
		time.Sleep(time.Nanosecond)
		b.asked()
		put := func(key string) {
			i := b.put(key)
			tr.Note(key, &i)
			i.ETag = "the caller's"
		}
		put("old")
		put("new")
		put("d/y")
		put("mk/")
		put("p/q/r") // directories by what is below
		b.del("gone")
		tr.Note("gone", nil)
		b.del("rm/")
		tr.Note("rm/", nil)
		b.del("d/x")
		tr.Note("d/x", nil)
		wantList(t, tr, "", "d/ mk/* new* old* p/")
		wantList(t, tr, "d/", "y*")
		b.want(t, "")
		for name, want := range map[string]string{"old": "old*", "new": "new*", "mk": "mk/*", "gone": "", "rm": "", "p": "p/*"} {
			e := wantLookup(t, tr, "", name, want)
			if e.Info.ETag != b.objects[e.Key].ETag {
				t.Errorf("%s: ETag %q", name, e.Info.ETag)
			}
		}
		b.want(t, "FIRST p/")
		wantLookup(t, tr, "p/", "q", "q/*")
	})
}

// A directory that was just found absent is there when something is put below it.
func TestNoteMakesDirectories(t *testing.T) {
	b := newBucket()
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantLookup(t, tr, "", "d", "")
		wantLookup(t, tr, "d/", "e", "")
		time.Sleep(time.Nanosecond)
		i := b.put("d/e/f")
		tr.Note("d/e/f", &i)
		wantLookup(t, tr, "", "d", "d/*")
		wantLookup(t, tr, "d/", "e", "e/*")
		b.del("d/e/f") // by somebody else
		time.Sleep(ttl)
		wantLookup(t, tr, "", "d", "")
	})
}

// Requests that were under way at a Note do not undo it, whichever side of the change they saw.
func TestNoteWinsOverRequestsUnderWay(t *testing.T) {
	for at := range 3 { // the Note comes before, at or after the bucket's answer
		b := newBucket("changed", "gone", "d/x", "rm/", "k/only")
		inTime(t, b, "", func(t *testing.T, tr *Tree) {
			b.way = func() time.Duration { return 100 * time.Millisecond }
			var wg sync.WaitGroup
			for _, name := range []string{"changed", "gone", "new", "d", "rm", "p", "k"} {
				wg.Go(func() { tr.Lookup(t.Context(), "", name) })
			}
			wg.Go(func() { tr.List(t.Context(), "") })
			wg.Go(func() { tr.List(t.Context(), "k/") })
			time.Sleep(time.Duration(50+50*at) * time.Millisecond)
			changed, made, below := b.put("changed"), b.put("new"), b.put("p/q")
			for _, key := range []string{"gone", "rm/", "k/only"} {
				b.del(key)
			}
			synctest.Wait()
			tr.Note("changed", &changed)
			tr.Note("new", &made)
			tr.Note("p/q", &below)
			tr.Note("gone", nil)
			tr.Note("rm/", nil)
			tr.Note("k/only", nil)
			entries, err := tr.List(t.Context(), "")
			if got := strings.ReplaceAll(names(entries, ""), "*", ""); err != nil || got != "changed d/ k/ new p/" {
				t.Errorf("List: %q, %v", got, err)
			}
			wg.Wait()
			for name, want := range map[string]string{"changed": "changed*", "gone": "", "new": "new*", "d": "d/*", "rm": "", "p": "p/*", "k": "k/*"} {
				e := wantLookup(t, tr, "", name, want)
				if e.Info.ETag != b.objects[e.Key].ETag {
					t.Errorf("%s: ETag %q", name, e.Info.ETag)
				}
			}
			time.Sleep(ttl)
			wantLookup(t, tr, "", "k", "k/*")
		})
	}
}

func TestForget(t *testing.T) {
	b := newBucket("f", "d/x")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantList(t, tr, "", "d/ f")
		wantLookup(t, tr, "", "f", "f*")
		wantLookup(t, tr, "", "d", "d/*")
		b.put("f")
		b.del("d/x")
		b.put("g")
		tr.Forget("f")
		if e := wantLookup(t, tr, "", "f", "f*"); e.Info.ETag != b.objects["f"].ETag {
			t.Errorf("f: ETag %q", e.Info.ETag)
		}
		wantLookup(t, tr, "", "d", "d/*")
		tr.Forget("d/")
		wantLookup(t, tr, "", "d", "")
		wantList(t, tr, "", "f* g")
	})
}

// An answer that was under way at a Forget may be old: it is not joined, and not remembered.
func TestForgetWhileUnderWay(t *testing.T) {
	b := newBucket("f")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.way = func() time.Duration { return 100 * time.Millisecond }
		var wg sync.WaitGroup
		wg.Go(func() { wantLookup(t, tr, "", "f", "f*") })
		wg.Go(func() { wantList(t, tr, "", "f") })
		time.Sleep(150 * time.Millisecond) // the bucket has answered
		b.del("f")
		b.put("g")
		tr.Forget("f")
		wg.Go(func() { wantLookup(t, tr, "", "f", "") })
		wg.Go(func() { wantList(t, tr, "", "g") })
		wg.Wait()
		wantLookup(t, tr, "", "f", "")
		wantList(t, tr, "", "g")
	})
	// The same with the old answer as the last.
	b = newBucket("f")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		b.way = func() time.Duration { return 100 * time.Millisecond }
		var wg sync.WaitGroup
		wg.Go(func() { wantLookup(t, tr, "", "f", "f*") })
		wg.Go(func() { wantList(t, tr, "", "f") })
		time.Sleep(150 * time.Millisecond)
		b.del("f")
		tr.Forget("f")
		wg.Wait()
		wantList(t, tr, "", "")
		wantLookup(t, tr, "", "f", "")
	})
}

// What a listing shows follows the notes by itself.
func TestListingApply(t *testing.T) {
	l := &listing{objects: make(map[string]fact), dirs: make(map[string]bool)}
	i := &store.Info{}
	for _, tt := range []struct {
		n             note
		objects, dirs string
	}{
		{note{key: "d/f", info: i}, "f", ""},
		{note{key: "d/m/", info: i}, "f", "m"},
		{note{key: "d/e/f/g", info: i}, "f", "e m"},
		{note{key: "d/f/x", info: i}, "f", "e f m"},
		{note{key: "d/f"}, "", "e f m"},
		{note{key: "d/f/x"}, "", "e f m"},
		{note{key: "d/f/"}, "", "e m"},
		{note{key: "d/e/f/"}, "", "e m"},
		{note{key: "d/"}, "", "e m"},
		{note{key: "d/..", info: i}, "", "e m"},
		{note{key: "x", info: i}, "", "e m"},
		{note{key: "d/m/", forget: true}, "", "e m"},
	} {
		l.apply("d/", tt.n)
		objects := strings.Join(slices.Sorted(maps.Keys(l.objects)), " ")
		dirs := strings.Join(slices.Sorted(maps.Keys(l.dirs)), " ")
		if objects != tt.objects || dirs != tt.dirs {
			t.Fatalf("after %+v: %q and %q, want %q and %q", tt.n, objects, dirs, tt.objects, tt.dirs)
		}
	}
}
