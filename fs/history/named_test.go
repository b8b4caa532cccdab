package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func versionsOf(t *testing.T, b *bucket, key string) []Version {
	t.Helper()
	versions, err := New(b).Versions(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return versions
}

// Whoever has read a name finds its version as long as that exists, and never another one, while
// versions are added and others are removed for good, by which places, marks, times and beginnings of
// ids change. The time of an upload may be raised, and fall again; with ids that do not begin alike it
// is found by any name. A name in a past second does not change when versions are added.
// SEMANTICS ".versions/"
func TestNamedFindsWhatWasRead(t *testing.T) {
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 2))
		b, uploads := &bucket{}, seed%2 == 1
		read := map[string]string{} // ids by the names that were listed
		at, order := 0.0, r.Perm(32)
		var before []Version
		for i := range order {
			at += float64(r.IntN(3)) / 2
			id, when := fmt.Sprintf("version-%06b", order[i]), at
			if uploads {
				id = fmt.Sprintf("%08b-version", order[i])
			}
			if uploads && r.IntN(8) == 0 {
				when -= 3 // what it replaces was made since it began
			}
			if r.IntN(4) == 0 {
				b.del("d/k.txt", id, when)
			} else {
				b.add("d/k.txt", id, when)
				b.versions[len(b.versions)-1].Info.ETag = fmt.Sprint(r.IntN(2))
			}
			now := versionsOf(t, b, "d/k.txt")
			for j, v := range before {
				if second := now[len(now)-1].Time.Unix(); v.Time.Unix() < second && now[j].Name != v.Name {
					t.Fatalf("seed %d: %s is %s now", seed, v.Name, now[j].Name)
				}
			}
			for r.IntN(3) == 0 && len(b.versions) > 1 {
				n := r.IntN(len(b.versions))
				b.versions = slices.Delete(b.versions, n, n+1)
			}
			for _, v := range now {
				if v.Time.Unix() < now[len(now)-1].Time.Unix() {
					read[v.Name] = v.Info.VersionID
				}
			}
			now = versionsOf(t, b, "d/k.txt")
			for name, id := range read {
				v, ok := Named(now, name)
				exists := slices.ContainsFunc(now, func(v Version) bool { return v.Info.VersionID == id })
				if ok != exists || ok && v.Info.VersionID != id {
					t.Fatalf("seed %d: %s finds %v, %s, which was read of %s, %v", seed, name, ok, v.Info.VersionID, id, exists)
				}
			}
			before = now
		}
	}
}

func TestNamed(t *testing.T) {
	b := &bucket{}
	b.add("f.txt", "3sL4kqtJrest", 10)
	b.add("f.txt", "a/b", 20)
	b.del("f.txt", "deleted", 30)
	versions := versionsOf(t, b, "f.txt")
	for name, want := range map[string]string{
		"2026-11-22T12.00.10Z.000~3sL4kqtJ.txt":         "3sL4kqtJrest",
		"2026-11-22T12.00.10Z.017~3sL4kqtJ.txt":         "3sL4kqtJrest",
		"2027-11-22T12.00.10Z.0000~3sL4kqtJr.txt":       "3sL4kqtJrest",
		"2026-11-22T12.00.10Z.000~3sL4kqtJrest.txt":     "3sL4kqtJrest",
		"2026-11-22T12.00.10Z.000~3sL4kqtJ~meta.txt":    "3sL4kqtJrest",
		"2026-11-22T12.00.20Z.000~a%2Fb.txt":            "a/b",
		"2026-11-22T12.00.30Z.000~%64eleted.txt":        "deleted",
		"2026-11-22T12.00.09Z.000~3sL4kqtJ.txt":         "", // before it was made
		"2026-11-22T12.00.10Z.000~3sL4kqt.txt":          "",
		"2026-11-22T12.00.10Z.000~3sL4kqtK.txt":         "",
		"2026-11-22T12.00.10Z.000~3sL4kqtJ":             "",
		"2026-11-22T12.00.10Z.000~3sL4kqtJ.txt.swp":     "",
		"2026-11-22T12.00.10Z.000~3sL4kqtJ.txt.txt":     "",
		"2026-11-22T12.00.10Z.000~3sL4kqtJ~other.txt":   "",
		"2026-11-22T12.00.10Z.000~3sL4kqtJ~meta~me.txt": "",
		"2026-11-22T12:00:10Z.000~3sL4kqtJ.txt":         "",
		"2026-11-22T12.00.10Z.00~3sL4kqtJ.txt":          "",
		"2026-11-22T12.00.10Z.x00~3sL4kqtJ.txt":         "",
		"2026-11-22T12.00.10Z~3sL4kqtJ.txt":             "",
		"3sL4kqtJ.txt":                                  "",
		"~3sL4kqtJ.txt":                                 "",
		"2026-11-22T12.00.30Z.000~.txt":                 "",
		"2026-11-22T12.00.30Z.000~deleted.txt":          "",
		"2026-11-22T12.00.20Z.000~a.txt":                "",
		"":                                              "",
	} {
		if v, ok := Named(versions, name); v.Info.VersionID != want || ok != (want != "") {
			t.Errorf("%s: %q, %v; want %q", name, v.Info.VersionID, ok, want)
		}
	}
	if _, ok := Named(nil, versions[0].Name); ok {
		t.Error("a name among no versions")
	}
}

// The id "null" is used again by what is written next while versioning is suspended: a name that was
// read before is not that of it.
func TestNamedNull(t *testing.T) {
	b := &bucket{}
	b.add("k", "null", 0)
	name := versionsOf(t, b, "k")[0].Name
	b.versions[0].Info.LastModified = noon.Add(time.Second)
	if v, ok := Named(versionsOf(t, b, "k"), name); ok {
		t.Errorf("%s finds %s", name, v.Name)
	}
}

// A name shows the suffix of the file, if it is one, and keeps within 255 bytes.
func TestSuffixes(t *testing.T) {
	long := "." + strings.Repeat("s", maxSuffix-1)
	for key, want := range map[string]string{
		"d/notes.txt": ".txt", "a.tar.gz": ".gz", "README": "", ".bashrc": "", "d/.vimrc.old": ".old", "end.": "", "..": "", "d.d/x": "", "d.d/": "",
		"a.c++": ".c++", "x.тхт": ".тхт", "a.txt~": "", "a.b c": "", "a.\n": "", "a.x\x01": "", "a.\xff": "", "a.~deleted": "", "a.x~meta": "", "a.%41": "",
		"k" + long: long, "k" + long + "s": "", strings.Repeat("n", 251) + ".txt": ".txt",
	} {
		b := &bucket{}
		b.add(key, strings.Repeat("/", 1024), 0)
		b.del(key, strings.Repeat("/", 1023), 0)
		for _, v := range versionsOf(t, b, key) {
			if got := suffixOf(key); got != want || !strings.HasSuffix(v.Name, want) || len(v.Name) > 255 {
				t.Errorf("%q: the suffix %q of %q, want %q", key, got, v.Name, want)
			}
			if found, ok := Named(versionsOf(t, b, key), v.Name); !ok || found.Info.VersionID != v.Info.VersionID {
				t.Errorf("%q is not found", v.Name)
			}
		}
	}
}

// A name that shows all of an id is not that of another one that begins so; one that showed enough
// when it was read is that of the oldest.
func TestNamedOfIdsThatBeginAlike(t *testing.T) {
	b := &bucket{}
	b.add("k", "older", 0)
	b.add("k", "01234567aaaa", 1)
	b.add("k", "01234567", 1)
	whole := versionsOf(t, b, "k")[2].Name
	b.versions = slices.Delete(b.versions, 0, 1)
	b.add("k", "89abcdefaaaa", 2)
	short := versionsOf(t, b, "k")[2].Name
	b.add("k", "89abcdefbbbb", 2)
	for name, want := range map[string]string{
		strings.Replace(whole, ".001~", ".002~", 1): "01234567",
		short: "89abcdefaaaa",
		strings.Replace(short, ".000~89abcdef", ".003~89abcdefb", 1): "89abcdefbbbb",
	} {
		if v, ok := Named(versionsOf(t, b, "k"), name); !ok || v.Info.VersionID != want {
			t.Errorf("%s finds %q, %v; want %s", name, v.Info.VersionID, ok, want)
		}
	}
}
