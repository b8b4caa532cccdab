package storetest

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/latchfs/latchfs/store"
)

// allVersions lists to the last page and checks the size of the others.
func (e *env) allVersions(o store.VersionOptions) (versions []store.Version, prefixes []string) {
	e.Helper()
	for {
		page, err := e.ListVersions(e.Context(), o)
		e.must(err)
		versions, prefixes = append(versions, page.Versions...), append(prefixes, page.Prefixes...)
		n := len(page.Versions) + len(page.Prefixes)
		if page.NextKey == "" {
			if o.Max > 0 && n > o.Max {
				e.Errorf("a page of %d entries, at most %d were asked for", n, o.Max)
			}
			return versions, prefixes
		}
		if o.Max > 0 && n != o.Max {
			e.Fatalf("a page of %d entries that is not the last, %d were asked for", n, o.Max)
		}
		o.KeyMarker, o.VersionMarker = page.NextKey, page.NextVersion
	}
}

// lines are versions in a form that can be compared: key, and ETag or "deleted".
func (e *env) lines(versions []store.Version) []string {
	var found []string
	for _, v := range versions {
		what := v.Info.ETag
		if v.Deleted {
			what = "deleted"
		}
		if v.Latest {
			what += " latest"
		}
		found = append(found, strings.TrimPrefix(v.Info.Key, e.prefix)+" "+what)
	}
	return found
}

// testListVersions: versions and delete markers come in the order in which they were begun,
// newest first, also those of one second, one among the other.
func testListVersions(e *env) {
	ctx := e.Context()
	one, two, three := etag("one"), etag("two"), etag("three")
	write := func(key, content string) { e.put(e.key(key), content, store.Condition{}) }
	remove := func(key string) { e.must(e.Delete(ctx, store.DeleteRequest{Key: e.key(key)})) }
	write("a", "one")
	write("a-", "one")
	write("a/b", "one")
	remove("a")
	write("a", "two")
	write("a/b", "two")
	remove("a/b")
	remove("a/b")
	remove("a")
	write("a", "three")
	write("a0", "one")
	remove("a0")
	slow := e.upload(store.CreateUploadRequest{Key: e.key("b")}, "one") // begun before what it follows
	write("b", "two")
	made, err := slow.complete(store.Condition{})
	e.must(err)
	sum := made.ETag

	got, prefixes := e.allVersions(store.VersionOptions{Prefix: e.prefix})
	want := []string{"a " + three + " latest", "a deleted", "a " + two, "a deleted", "a " + one, "a- " + one + " latest",
		"a/b deleted latest", "a/b deleted", "a/b " + two, "a/b " + one, "a0 deleted latest", "a0 " + one,
		"b " + two + " latest", "b " + sum}
	if !e.versioned {
		want = []string{"a " + three + " latest", "a- " + one + " latest", "b " + sum + " latest"}
	}
	e.same("versions", e.lines(got), want)
	e.same("prefixes", prefixes, nil)
	seen := map[string]bool{}
	for _, v := range got {
		id := v.Info.Key + "\x00" + v.Info.VersionID
		if v.Info.VersionID == "" || seen[id] || v.Info.LastModified.IsZero() {
			e.Errorf("version %+v", v)
		}
		seen[id] = true
		if !e.versioned && v.Info.VersionID != "null" {
			e.Errorf("version id %q in a bucket without versioning", v.Info.VersionID)
		}
		if v.Deleted {
			continue
		}
		head, err := e.Head(ctx, store.HeadRequest{Key: v.Info.Key, Version: v.Info.VersionID})
		e.must(err)
		if head.Size != v.Info.Size || head.ETag != v.Info.ETag || !head.LastModified.Equal(v.Info.LastModified) {
			e.Errorf("listed as %+v, HEAD tells %+v", v.Info, head)
		}
	}
}

// testVersionPages: pages of any size, put together, are the listing.
func testVersionPages(e *env) {
	ctx := e.Context()
	for round := range 3 {
		for _, k := range []string{"a", "a-", "a/b", "a/c/d", "a0", "b/c"} {
			e.put(e.key(k), fmt.Sprint(k, round), store.Condition{})
			if round == 1 {
				e.must(e.Delete(ctx, store.DeleteRequest{Key: e.key(k)}))
			}
		}
	}
	for _, tt := range []struct {
		prefix, delimiter string
		versions          []string // keys
		prefixes          []string
	}{
		{"", "", []string{"a", "a-", "a/b", "a/c/d", "a0", "b/c"}, nil},
		{"", "/", []string{"a", "a-", "a0"}, []string{"a/", "b/"}},
		{"a/", "/", []string{"a/b"}, []string{"a/c/"}},
		{"a/", "", []string{"a/b", "a/c/d"}, nil},
		{"a", "/", []string{"a", "a-", "a0"}, []string{"a/"}},
		{"zz", "/", nil, nil},
	} {
		o := store.VersionOptions{Prefix: e.key(tt.prefix), Delimiter: tt.delimiter}
		whole, prefixes := e.allVersions(o)
		e.same(fmt.Sprintf("prefixes of %+v", o), e.trimmed(prefixes), tt.prefixes)
		var want []string
		for _, k := range tt.versions {
			latest := k + " " + etag(k+"2") + " latest"
			if want = append(want, latest); e.versioned {
				want = append(want, k+" deleted", k+" "+etag(k+"1"), k+" "+etag(k+"0"))
			}
		}
		e.same(fmt.Sprintf("%+v", o), e.lines(whole), want)
		for max := 1; max <= 9; max++ {
			o.Max = max
			versions, prefixes := e.allVersions(o)
			if !reflect.DeepEqual(versions, whole) {
				e.Errorf("%+v: %q, want %q", o, e.lines(versions), want)
			}
			e.same(fmt.Sprintf("prefixes of %+v", o), e.trimmed(prefixes), tt.prefixes)
		}
	}
	// A key alone as the marker: what follows it.
	after, _ := e.allVersions(store.VersionOptions{Prefix: e.prefix, KeyMarker: e.key("a/c/d")})
	whole, _ := e.allVersions(store.VersionOptions{Prefix: e.prefix})
	n := len(whole) / 6
	if !reflect.DeepEqual(after, whole[4*n:]) {
		e.Errorf("after a/c/d: %q", e.lines(after))
	}
	// A marker that nobody has as a key: what follows a directory.
	behind, _ := e.allVersions(store.VersionOptions{Prefix: e.prefix, KeyMarker: e.key("a/\U0010FFFF")})
	if !reflect.DeepEqual(behind, whole[4*n:]) {
		e.Errorf("behind the directory a: %q", e.lines(behind))
	}
	// Continued where the page before ended, though newer versions have come since.
	if e.versioned {
		first, err := e.ListVersions(ctx, store.VersionOptions{Prefix: e.prefix, Max: 2})
		e.must(err)
		e.put(e.key("a"), "newest", store.Condition{})
		rest, _ := e.allVersions(store.VersionOptions{Prefix: e.prefix, KeyMarker: first.NextKey, VersionMarker: first.NextVersion})
		if !reflect.DeepEqual(rest, whole[2:]) {
			e.Errorf("the rest: %q, want %q", e.lines(rest), e.lines(whole[2:]))
		}
	}
}
