package history

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
)

// show writes versions as names without their common beginning.
func show(t *testing.T, b *bucket, key string) string {
	t.Helper()
	versions, err := New(b).Versions(t.Context(), key)
	if err != nil {
		t.Errorf("Versions(%q): %v", key, err)
	}
	var names []string
	for _, v := range versions {
		if v.Info.Key != key || v.Deleted != (v.Info.ETag == "") || v.Deleted != strings.HasSuffix(strings.TrimSuffix(v.Name, suffixOf(key)), "~deleted") {
			t.Errorf("%+v", v)
		}
		if want := v.Time.Format("2006-01-02T15.04.05Z."); !strings.HasPrefix(v.Name, want) || v.Time.Location().String() != "UTC" {
			t.Errorf("%s at %s", v.Name, v.Time)
		}
		names = append(names, strings.TrimPrefix(v.Name, "2026-11-22T12."))
	}
	if !slices.IsSorted(names) {
		t.Errorf("not in the order of text: %q", names)
	}
	return strings.Join(names, " ")
}

// SEMANTICS ".versions/"
func TestNamesOfVersions(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(b *bucket)
		want string
	}{
		{"never was", func(b *bucket) { b.add("kk", "x", 0); b.add("k/", "x", 0) }, ""},
		{"versions and deletions", func(b *bucket) {
			b.add("k", "aaaaaaaaaaaa", 0)
			b.del("k", "bbbbbbbbbbbb", 65)
			b.add("k", "cccccccccccc", 66)
		}, "00.00Z.000~aaaaaaaa 01.05Z.000~bbbbbbbb~deleted 01.06Z.000~cccccccc"},
		{"the same second, also where the server tells fractions", func(b *bucket) {
			b.add("k", "zzzzzzzz", 7.1)
			b.del("k", "yyyyyyyy", 7.2)
			b.add("k", "xxxxxxxx", 7.9)
			b.add("k", "wwwwwwww", 8)
		}, "00.07Z.000~zzzzzzzz 00.07Z.001~yyyyyyyy~deleted 00.07Z.002~xxxxxxxx 00.08Z.000~wwwwwwww"},
		{"an upload that began before the version which it replaced", func(b *bucket) {
			b.add("k", "aaaaaaaa", 10)
			b.add("k", "bbbbbbbb", 4)
			b.add("k", "cccccccc", 5)
			b.add("k", "dddddddd", 11)
		}, "00.10Z.000~aaaaaaaa 00.10Z.001~bbbbbbbb 00.10Z.002~cccccccc 00.11Z.000~dddddddd"},
		{"ids that begin alike, the first as if it were alone", func(b *bucket) {
			b.add("k", "01234567aaaa", 0)
			b.add("k", "01234567abbb", 1)
			b.add("k", "01234567acc", 2)
			b.add("k", "01234567bbbb", 3)
			b.add("k", "012345", 4)
			b.add("k", "01234567abbc", 5)
		}, "00.00Z.000~01234567 00.01Z.000~01234567ab 00.02Z.000~01234567ac 00.03Z.000~01234567b 00.04Z.000~012345 00.05Z.000~01234567abbc"},
		{"ids that begin alike in one second", func(b *bucket) {
			b.add("k", "01234567aaaa", 0)
			b.add("k", "01234567abbb", 0)
			b.add("k", "01234567", 0)
			b.add("k", "98765432", 0)
			b.add("k", "01234567abcc", 1)
		}, "00.00Z.000~01234567aa 00.00Z.001~01234567ab 00.00Z.002~01234567 00.00Z.003~98765432 00.01Z.000~01234567abc"},
		{"ids that no name can have", func(b *bucket) {
			b.add("k", "a/b~c+d=", 0)
			b.add("k", "x._-ä", 1)
			b.add("k", "null", 2)
			b.add("k", "meta", 3)
			b.del("k", "deleted", 4)
			b.add("k", strings.Repeat("i", 1024), 5)
			b.add("k", strings.Repeat("i", 1023), 6)
		}, "00.00Z.000~a%2Fb%7E 00.01Z.000~x._-%C3% 00.02Z.000~null 00.03Z.000~%6Deta 00.04Z.000~%64elete~deleted 00.05Z.000~iiiiiiii 00.06Z.000~" + strings.Repeat("i", 48) + "%-7"},
		{"no id", func(b *bucket) { b.add("k", "", 0) }, "00.00Z.000~null"},
		{"what a listing tells to have the content of the version before", func(b *bucket) {
			b.add("k", "aaaaaaaa", 0)
			b.add("k", "bbbbbbbb", 1)
			b.versions[1].Info.ETag = "etag-aaaaaaaa"
			b.add("k", "cccccccc", 2)
			b.versions[2].Info.ETag, b.versions[2].Info.Size = "etag-aaaaaaaa", 6
			b.del("k", "dddddddd", 3)
			b.del("k", "eeeeeeee", 4)
			b.add("k", "ffffffff", 5)
			b.versions[5].Info.ETag, b.versions[5].Info.Size = "etag-aaaaaaaa", 6
		}, "00.00Z.000~aaaaaaaa 00.01Z.000~bbbbbbbb~meta 00.02Z.000~cccccccc 00.03Z.000~dddddddd~deleted 00.04Z.000~eeeeeeee~deleted 00.05Z.000~ffffffff"},
		{"longer keys between", func(b *bucket) {
			b.add("k", "aaaaaaaa", 0)
			b.add("k/x", "bbbbbbbb", 1)
			b.add("k2", "cccccccc", 2)
			b.add("k", "dddddddd", 3)
		}, "00.00Z.000~aaaaaaaa 00.03Z.000~dddddddd"},
	} {
		for _, page := range []int{1, 2, 1000} {
			b := &bucket{page: page}
			tt.make(b)
			if got := show(t, b, "k"); got != tt.want {
				t.Errorf("%s, pages of %d: %s\nwant %s", tt.name, page, got, tt.want)
			}
		}
	}
}

func TestThousandsInOneSecond(t *testing.T) {
	b := &bucket{}
	for i := range 1001 {
		b.add("k", fmt.Sprintf("%08d", i), 0)
	}
	b.add("k", "last", 1)
	names := strings.Fields(show(t, b, "k"))
	if names[0] != "00.00Z.0000~00000000" || names[1000] != "00.00Z.1000~00001000" || names[1001] != "00.01Z.000~last" {
		t.Errorf("%q, %q, %q", names[0], names[1000], names[1001])
	}
}

func TestVersionsStopsBehindTheKey(t *testing.T) {
	b := &bucket{page: 10}
	for i := range 100 {
		b.add(fmt.Sprintf("k/%d", i), "x", 0)
	}
	b.add("k", "x", 0)
	show(t, b, "k")
	if b.requests != 1 {
		t.Errorf("%d requests", b.requests)
	}
	if got := show(t, b, "k/5"); got != "00.00Z.000~x" {
		t.Errorf("k/5: %s", got)
	}
}

func TestNames(t *testing.T) {
	b := &bucket{}
	for _, key := range []string{"f", "f", "d/x", "d/e/y", "both", "both/x", "m/", ".latchfs/bucket.json",
		"/x", "./x", "..", "nul\x00", "bad\xff", strings.Repeat("n", 256), "d//z", "d/.latchfs/q"} {
		b.add(key, "v"+fmt.Sprint(len(b.versions)), 0)
	}
	b.add("gone", "g", 0)
	b.del("gone", "h", 1)
	b.del("never", "i", 1)
	b.del("d/", "j", 1)
	b.del("goned/x", "k", 1)
	for dir, want := range map[string]string{
		"":       "both,both/ d/ f gone goned/ m/ never",
		"d/":     ".latchfs/ e/ x",
		"goned/": "x",
		"none/":  "",
	} {
		for _, b.page = range []int{1, 3, 1000} {
			names, err := New(b).Names(t.Context(), dir)
			if err != nil {
				t.Errorf("Names(%q): %v", dir, err)
			}
			var got []string
			for _, n := range names {
				s := ""
				if n.File {
					s = n.Name
				}
				if n.Dir {
					s += map[bool]string{true: ","}[n.File] + n.Name + "/"
				}
				got = append(got, s)
			}
			for _, n := range names {
				b.requests = 0
				found, begun, err := New(b).Find(t.Context(), dir, n.Name)
				if most := map[bool]int{true: 1, false: 2}[n.File]; b.requests > most || found.Dir && !n.Dir || found.Name != n.Name || found.File != n.File {
					t.Errorf("Find(%q, %q): %+v, %v, %d requests, want %+v", dir, n.Name, found, err, b.requests, n)
				}
				if was, err := New(b).WasDir(t.Context(), dir+n.Name+"/"); was != n.Dir || err != nil || !n.File && !found.Dir {
					t.Errorf("WasDir(%q, %q): %v, %v; Find: %+v", dir, n.Name, was, err, found)
				}
				rest, err := New(b).Rest(t.Context(), begun)
				if all := versionsOf(t, b, dir+n.Name); err != nil || !slices.Equal(namesIn(rest), namesIn(all)) || n.File != (len(all) > 0) {
					t.Errorf("Rest(%q, %q): %q, %v; want %q", dir, n.Name, namesIn(rest), err, namesIn(all))
				}
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("Names(%q) by pages of %d: %q, want %q", dir, b.page, got, want)
			}
		}
	}
}

func TestFindNothing(t *testing.T) {
	b := &bucket{}
	for _, key := range []string{"ab", "a-/x", ".latchfs/bucket.json", "/x", "./x"} {
		b.add(key, "v", 0)
	}
	for _, name := range []string{"a", "b", ".latchfs", "", ".", "a/b"} {
		if found, _, err := New(b).Find(t.Context(), "", name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Find(%q) = %+v, %v", name, found, err)
		}
	}
}

func TestInfo(t *testing.T) {
	b := &bucket{}
	b.add("k", "v1", 0)
	b.add("k", "v2", 1)
	if i, err := New(b).Info(t.Context(), "k", "v1"); err != nil || i.VersionID != "v1" || i.Props.ContentType == "" {
		t.Errorf("Info: %+v, %v", i, err)
	}
	if _, err := New(b).Info(t.Context(), "k", "v3"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Info of no version: %v", err)
	}
}

func TestErrors(t *testing.T) {
	b := &bucket{err: errors.New("broken")}
	if _, err := New(b).Names(t.Context(), "d/"); !errors.Is(err, b.err) {
		t.Errorf("Names: %v", err)
	}
	if _, _, err := New(b).Find(t.Context(), "", "d"); !errors.Is(err, b.err) {
		t.Errorf("Find: %v", err)
	}
	if _, err := New(b).Versions(t.Context(), "d/"); !errors.Is(err, b.err) {
		t.Errorf("Versions: %v", err)
	}
}

func namesIn(versions []Version) (names []string) {
	for _, v := range versions {
		names = append(names, v.Name)
	}
	return names
}
