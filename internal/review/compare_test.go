package review

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

func (w *world) side(i store.Info, mode uint32) *Side {
	return &Side{Name: i.Key, Stamp: "T " + i.VersionID[:2], Objects: w, Info: i, Posix: store.Posix{Mode: mode, Has: store.HasMode}}
}

func TestUnified(t *testing.T) {
	w := newWorld(t)
	put := func(body string) store.Info { w.tick(); return w.mem.PutForeign("f", body) }
	lines := strings.Split("abcdefghijklmnop", "")
	all := strings.Join(lines, "\n") + "\n"
	one, two := put(all), put(strings.Replace(all, "h\n", "H\n", 1))
	again, noEnd := put(all), put(strings.TrimSuffix(all, "\n"))
	bin, other, empty := put("a\x00b"), put("a\x00c"), put("")
	a, b := one.VersionID[:2], two.VersionID[:2]
	for _, tt := range []struct {
		name     string
		old, new *Side
		want     string
	}{
		{"a line", w.side(one, 0o644), w.side(two, 0o644), "--- f\tT " + a + "\n+++ f\tT " + b + "\n@@ -5,7 +5,7 @@\n e\n f\n g\n-h\n+H\n i\n j\n k\n"},
		{"the same", w.side(one, 0o644), w.side(again, 0o644), ""},
		{"the mode", w.side(one, 0o100644), w.side(again, 0o100755), "old mode 100644\nnew mode 100755\n"},
		{"the last line", w.side(one, 0), w.side(noEnd, 0), "--- f\tT " + a + "\n+++ f\tT " + noEnd.VersionID[:2] + "\n@@ -13,4 +13,4 @@\n m\n n\n o\n-p\n+p\n\\ No newline at end of file\n"},
		{"no text", w.side(bin, 0), w.side(other, 0), "Binary files f (T " + bin.VersionID[:2] + ") and f (T " + other.VersionID[:2] + ") differ\n"},
		{"a new file", &Side{}, w.side(put("x\n"), 0), "--- /dev/null\n+++ f\tT @@ -0,0 +1,1 @@\n+x\n"},
		{"a deletion", w.side(put("x\n"), 0), &Side{}, "--- f\tT +++ /dev/null\n@@ -1,1 +0,0 @@\n-x\n"},
		{"nothing and an empty file", &Side{}, w.side(empty, 0), ""},
	} {
		got, err := Unified(t.Context(), tt.old, tt.new)
		if strings.Contains(tt.want, "/dev/null") { // their ids are not at hand
			got = stamps(got)
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", tt.name, err, got, tt.want)
		}
	}
	// What was read once serves again, as a newer side.
	gets := w.mem.Count("Get")
	kept := w.side(one, 0)
	for _, newer := range []*Side{w.side(two, 0), w.side(noEnd, 0)} {
		if _, err := Unified(t.Context(), kept, newer); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.mem.Count("Get") - gets; n != 3 {
		t.Errorf("%d reads of 3 versions", n)
	}
}

// stamps leaves out the ids.
func stamps(s string) string {
	lines := strings.SplitAfter(s, "\n")
	for i, l := range lines {
		if before, _, ok := strings.Cut(l, "\tT "); ok {
			lines[i] = before + "\tT "
		}
	}
	return strings.Join(lines, "")
}

// What is too large is not read.
func TestUnifiedOfLargeFiles(t *testing.T) {
	w := newWorld(t)
	large := store.Info{Key: "f", ETag: "e1", VersionID: "v1", Size: maxCompared + 1}
	got, err := Unified(t.Context(), w.side(large, 0), w.side(store.Info{Key: "f", ETag: "e2", VersionID: "v2", Size: 1}, 0))
	if err != nil || got != "Files f (T v1) and f (T v2) differ, and are too large to compare line by line\n" {
		t.Errorf("%q, %v", got, err)
	}
	if w.mem.Count("Get") != 0 {
		t.Error("it was read")
	}
	large.Size = 1
	if _, err := Unified(t.Context(), &Side{}, w.side(large, 0)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a version that is gone: %v", err)
	}
}

func TestTrees(t *testing.T) {
	w := newWorld(t)
	put := func(key, body string) { w.tick(); w.mem.PutForeign(key, body) }
	put("d/same", "x")
	put("d/changed", "x")
	put("d/removed", "x")
	put("d/back", "x")
	put("e/same", "x")
	put("e/changed", "other")
	put("e/more", "x")
	put("d/", "")
	old := w.now
	put("d/changed", "y")
	put("d/sub/new", "x")
	w.remove("d/removed")
	w.remove("d/back")
	middle := w.now
	put("d/back", "x")
	put("d/same", "x") // the same bytes, as after a chmod
	put("d/passing", "x")
	w.remove("d/passing")
	show := func(old, new Tree) string {
		all, err := Trees(t.Context(), old, new)
		if err != nil {
			t.Error(err)
		}
		var lines []string
		for _, d := range all {
			lines = append(lines, d.Status()+" "+d.Path)
		}
		return strings.Join(lines, ", ")
	}
	d := func(at time.Time) Tree { return Tree{Objects: w.Client, Dir: "d/", At: at} }
	for _, tt := range []struct {
		name     string
		old, new Tree
		want     string
	}{
		{"until now", d(old), d(time.Time{}), "M changed, D removed, A sub/new"},
		{"between two times", d(old), d(middle), "D back, M changed, D removed, A sub/new"},
		{"backwards", d(middle), d(old), "A back, M changed, A removed, D sub/new"},
		{"since before anything was", d(noon), d(old), "A back, A changed, A removed, A same"},
		{"the same time", d(old), d(old), ""},
		{"two directories", d(time.Time{}), Tree{Objects: w.Client, Dir: "e/"}, "D back, M changed, A more, D sub/new"},
		{"nothing", Tree{Objects: w.Client, Dir: "none/"}, Tree{Objects: w.Client, Dir: "none/"}, ""},
	} {
		before := w.mem.Count("ListVersions")
		if got := show(tt.old, tt.new); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if n, most := w.mem.Count("ListVersions")-before, 1; n > most && tt.old.Dir == tt.new.Dir || n > 2 {
			t.Errorf("%s: %d listings", tt.name, n)
		}
	}
}
