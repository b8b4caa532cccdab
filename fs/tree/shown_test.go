package tree

import (
	"strings"
	"testing"
	"time"
)

// SEMANTICS Names: key "a" beside "a/b".
func TestObjectBesideDirectory(t *testing.T) {
	long, longer := strings.Repeat("n", 252), strings.Repeat("n", 250)+"ää"[:4]
	cut := strings.Repeat("n", 250) + "~file"
	for _, tt := range []struct{ keys, want string }{
		{"a a/b", "a/ a~file=a"},
		{"a a/", "a/ a~file=a"},
		{"a a/b a~file", "a/ a~file a~file~file=a"},
		{"a a/b a~file/x", "a/ a~file/ a~file~file=a"},
		{"a a/b a~file a~file/x", "a/ a~file/ a~file~file=a a~file~file~file=a~file"},
		{"a a/b a~file~file a~file", "a/ a~file a~file~file a~file~file~file=a"},
		{"a~file b", "a~file b"},
		{long + " " + long + "/x", long + "/ " + long[:250] + "~file=" + long},
		{longer + " " + longer + "/x", longer + "/ " + cut + "=" + longer},
		{long + " " + long + "/x " + longer + " " + longer + "/x", longer + "/" + " " + long + "/ " + long[:245] + "~file~file=" + longer + " " + cut + "=" + long},
	} {
		for _, dir := range []string{"", "d/"} {
			b := newBucket()
			for _, k := range strings.Fields(tt.keys) {
				b.put(dir + k)
			}
			inTime(t, b, "", func(t *testing.T, tr *Tree) {
				wants := strings.Fields(tt.want)
				// Each name can be looked up before and after a listing, and is the same.
				for range 2 {
					for _, want := range wants {
						name, _, _ := strings.Cut(want, "=")
						e := wantLookup(t, tr, dir, strings.TrimSuffix(name, "/"), want+"*")
						if !e.Dir && (e.Info.ETag == "" || e.Info.ETag != b.objects[e.Key].ETag) {
							t.Errorf("%s: %+v", want, e)
						}
					}
					entries, err := tr.List(t.Context(), dir)
					if err != nil || len(entries) != len(wants) {
						t.Errorf("List: %d entries, %v, want %d", len(entries), err, len(wants))
					}
					for _, e := range entries {
						if got := strings.TrimSuffix(names([]Entry{e}, dir), "*"); !strings.Contains(" "+tt.want+" ", " "+got+" ") {
							t.Errorf("List has %q, want one of %q", got, tt.want)
						}
					}
					wantLookup(t, tr, dir, "a~file~file~file~file~file", "")
				}
			})
		}
	}
}

func TestSuffixGoesWithTheDirectory(t *testing.T) {
	b := newBucket("a", "a/b")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantLookup(t, tr, "", "a~file", "a~file=a*")
		b.del("a/b")
		time.Sleep(ttl)
		wantLookup(t, tr, "", "a~file", "")
		wantLookup(t, tr, "", "a", "a*")
		// a directory that is only lasting has no right to the name
		tr.Note("a/c", nil)
		time.Sleep(ttl)
		wantLookup(t, tr, "", "a~file", "")
		wantList(t, tr, "", "a")
	})
}

// The name with the suffix may be longer than a key can be.
func TestSuffixAtTheLimitOfKeys(t *testing.T) {
	dir := strings.Repeat(strings.Repeat("d", 99)+"/", 10)
	name := strings.Repeat("n", 22)
	b := newBucket(dir+name, dir+name+"/")
	inTime(t, b, "", func(t *testing.T, tr *Tree) {
		wantLookup(t, tr, dir, name+"~file", name+"~file="+name+"*")
	})
}

// When all names are taken that the suffix can make the object is left out.
func TestNoNameLeft(t *testing.T) {
	b := newBucket("a", "a/x")
	for n := 1; n <= 60; n++ {
		if name := withSuffix("a", n); len(name) <= maxName {
			b.put(name)
		}
	}
	entries, err := New(b, Options{}).List(t.Context(), "")
	if err != nil || len(entries) != len(b.objects)-1 {
		t.Errorf("%d entries of %d objects, %v", len(entries), len(b.objects), err)
	}
}
