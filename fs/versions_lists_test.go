package fs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
)

// kept counts the lists and their weight, which has to be what is counted.
func (l *versionLists) kept(t *testing.T) (lists, weight int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.lists {
		weight += 1 + len(v.versions)
	}
	if weight != l.held {
		t.Errorf("the lists weigh %d, %d is counted", weight, l.held)
	}
	return len(l.lists), weight
}

// The lists of versions that are kept are bounded, whoever lists whatever, and are gone once they
// are not believed any more: "ls -R .versions" must not fill the memory until the kernel forgets.
func TestVersionListsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := versionLists{lists: make(map[string]*versionList)}
		for i := range 1000 {
			key := fmt.Sprint(i)
			l.put(key, make([]history.Version, i%100), time.Now())
			if _, ok := l.get(key, keepLists); !ok {
				t.Fatalf("list %d is not kept", i)
			}
			time.Sleep(time.Nanosecond)
		}
		if _, weight := l.kept(t); weight > maxListedVersions || weight < maxListedVersions-100 {
			t.Errorf("%d versions are kept", weight)
		}
		if _, ok := l.get("0", keepLists); ok {
			t.Error("the first list is still kept")
		}
		l.put("huge", make([]history.Version, 2*maxListedVersions), time.Now())
		_, ok := l.get("huge", keepLists)
		if n, _ := l.kept(t); !ok || n != 1 {
			t.Errorf("a long list is kept: %v, beside %d others", ok, n-1)
		}
		l.put("empty", nil, time.Now())
		l.put("late", make([]history.Version, 1), time.Now().Add(-keepLists))
		if n, weight := l.kept(t); n != 1 || weight != 1 {
			t.Errorf("%d lists are kept, of weight %d", n, weight)
		}
		time.Sleep(keepLists)
		synctest.Wait()
		if n, _ := l.kept(t); n != 0 {
			t.Errorf("%d lists are kept that nobody believes", n)
		}
	})
}

// The attributes of a last version are those of one list, and go with it.
func TestLastVersionGoesWithItsList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := versionLists{lists: make(map[string]*versionList)}
		one, two := make([]history.Version, 2), make([]history.Version, 2)
		l.putLast("k", one, file.Attr{Mode: 1}) // it is not kept
		l.put("k", one, time.Now())
		if a := l.last("k", one); a != nil {
			t.Errorf("%+v, which nobody kept", a)
		}
		l.putLast("k", two, file.Attr{Mode: 2})
		l.putLast("k", nil, file.Attr{Mode: 2})
		if a := l.last("k", one); a != nil {
			t.Errorf("%+v of another list", a)
		}
		l.putLast("k", one, file.Attr{Mode: 1})
		if a := l.last("k", one); a == nil || a.Mode != 1 {
			t.Errorf("%+v is kept", a)
		}
		if a := l.last("k", two); a != nil {
			t.Errorf("%+v beside another list", a)
		}
		l.put("k", two, time.Now())
		if a := l.last("k", two); a != nil {
			t.Errorf("%+v of the list before", a)
		}
		time.Sleep(keepLists)
		synctest.Wait()
		if a := l.last("k", two); a != nil {
			t.Errorf("%+v for ever", a)
		}
	})
}

// Listing many names leaves nothing behind once the time is over; until then the look-ups that
// follow a listing need no list of their own.
func TestVersionsAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 20 {
			for j := range 10 {
				w.bucket.PutForeign(fmt.Sprintf("d/f%d", i), fmt.Sprint(j))
			}
		}
		view := w.find(w.find(root, "d"), VersionsName)
		names := w.bucket.History("d/f7")
		for i := range 20 {
			d := w.openDir(w.find(view, fmt.Sprintf("f%d", i)))
			w.readDir(d, 0, 1<<16, true)
			w.releaseDir(d)
		}
		if n, weight := w.front.lists.kept(t); n != 20 || weight != 20*11 {
			t.Errorf("%d lists are kept, of weight %d", n, weight)
		}
		f7 := w.find(view, "f7")
		before := w.bucket.Count("ListVersions")
		all, err := w.front.history.Versions(t.Context(), "d/f7")
		if err != nil || len(all) != len(names) {
			t.Fatal(all, err)
		}
		for _, v := range all {
			w.find(f7, v.Name)
		}
		if n := w.bucket.Count("ListVersions") - before; n != 1 { // our own
			t.Errorf("the look-ups took %d listings", n)
		}
		time.Sleep(keepLists)
		synctest.Wait()
		if n, _ := w.front.lists.kept(t); n != 0 {
			t.Errorf("%d lists are kept for ever", n)
		}

		// What is read anew is listed anew.
		w.bucket.PutForeign("d/f7", "new")
		d := w.openDir(f7)
		w.readDir(d, 0, 1<<16, true)
		w.bucket.PutForeign("d/f7", "newer")
		w.readDir(d, 0, 1<<16, true)
		w.releaseDir(d)
		if _, weight := w.front.lists.kept(t); weight != 1+12 {
			t.Errorf("%d versions were listed", weight-1)
		}
	})
}
