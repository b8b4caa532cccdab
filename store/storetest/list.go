package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/latchfs/latchfs/store"
)

// all lists to the last page and checks that no page but the last has another number of
// entries than max.
func (e *env) all(o store.ListOptions) (objects []store.Info, prefixes []string) {
	e.Helper()
	for {
		page, err := e.List(e.Context(), o)
		e.must(err)
		objects, prefixes = append(objects, page.Objects...), append(prefixes, page.Prefixes...)
		n := len(page.Objects) + len(page.Prefixes)
		if page.Next == "" {
			if o.Max > 0 && n > o.Max {
				e.Errorf("a page of %d entries, at most %d were asked for", n, o.Max)
			}
			return objects, prefixes
		}
		if o.Max > 0 && n != o.Max {
			e.Fatalf("a page of %d entries that is not the last, %d were asked for", n, o.Max)
		}
		o.Token = page.Next
	}
}

func names(objects []store.Info, prefix string) []string {
	var found []string
	for _, o := range objects {
		found = append(found, strings.TrimPrefix(o.Key, prefix))
	}
	return found
}

func (e *env) same(what string, got, want []string) {
	e.Helper()
	if !slices.Equal(got, want) {
		e.Errorf("%s: %q, want %q", what, got, want)
	}
}

// trimmed removes the test's prefix.
func (e *env) trimmed(names []string) []string {
	var found []string
	for _, n := range names {
		found = append(found, strings.TrimPrefix(n, e.prefix))
	}
	return found
}

func testList(e *env) {
	ctx := e.Context()
	// In order of their bytes, which is not that of any language.
	keys := []string{"A", "a", "a-b", "a.b", "a/", "a/b", "a/b/c", "a/c", "a0", "aB", "ab", "b/x/y", "é", "中"}
	made := map[string]store.Info{}
	for i := range keys {
		k := keys[(i*5+3)%len(keys)] // in another order
		made[k] = e.put(e.key(k), "content of "+k, absent)
	}
	if len(made) != len(keys) {
		e.Fatal("the test does not write all its keys")
	}
	gone := e.put(e.key("a/d"), "x", absent)
	e.must(e.Delete(ctx, store.DeleteRequest{Key: e.key("a/d"), IfMatch: gone.ETag}))
	e.must(e.Delete(ctx, store.DeleteRequest{Key: e.key("gone/d")}))

	objects, prefixes := e.all(store.ListOptions{Prefix: e.prefix})
	e.same("all", names(objects, e.prefix), keys)
	e.same("prefixes", prefixes, nil)
	for _, o := range objects {
		head := e.head(o.Key)
		if o.ETag != head.ETag || o.Size != head.Size || !o.LastModified.Equal(head.LastModified) || o.Props.StorageClass != head.Props.StorageClass {
			e.Errorf("listed as %+v, HEAD tells %+v", o, head)
		}
	}
	for _, tt := range []struct {
		o                 store.ListOptions
		objects, prefixes []string
	}{
		{store.ListOptions{Delimiter: "/"}, []string{"A", "a", "a-b", "a.b", "a0", "aB", "ab", "é", "中"}, []string{"a/", "b/"}},
		{store.ListOptions{Prefix: "a/", Delimiter: "/"}, []string{"a/", "a/b", "a/c"}, []string{"a/b/"}},
		{store.ListOptions{Prefix: "a", Delimiter: "/"}, []string{"a", "a-b", "a.b", "a0", "aB", "ab"}, []string{"a/"}},
		{store.ListOptions{Prefix: "a/b"}, []string{"a/b", "a/b/c"}, nil},
		{store.ListOptions{Prefix: "gone/", Delimiter: "/"}, nil, nil},
		{store.ListOptions{Prefix: "zz"}, nil, nil},
		{store.ListOptions{After: e.key("a/c")}, []string{"a0", "aB", "ab", "b/x/y", "é", "中"}, nil},
		{store.ListOptions{After: e.key("a/bb"), Prefix: "a/"}, []string{"a/c"}, nil},
	} {
		o := tt.o
		o.Prefix = e.prefix + o.Prefix
		for _, max := range []int{0, 1, 2, 3, 11, 1000} {
			o.Max = max
			objects, prefixes := e.all(o)
			e.same(fmt.Sprintf("%+v", o), names(objects, e.prefix), tt.objects)
			e.same(fmt.Sprintf("prefixes of %+v", o), e.trimmed(prefixes), tt.prefixes)
		}
	}
}

// testListPages: a listing goes on after its token whatever happens in between.
func testListPages(e *env) {
	ctx := e.Context()
	for _, k := range []string{"a", "b", "c", "d", "e"} {
		e.put(e.key(k), k, absent)
	}
	first, err := e.List(ctx, store.ListOptions{Prefix: e.prefix, Max: 2})
	e.must(err)
	e.same("first page", names(first.Objects, e.prefix), []string{"a", "b"})
	e.must(e.Delete(ctx, store.DeleteRequest{Key: e.key("b")}))
	e.must(e.Delete(ctx, store.DeleteRequest{Key: e.key("c")}))
	e.put(e.key("aa"), "", absent)
	e.put(e.key("f"), "", absent)
	rest, _ := e.all(store.ListOptions{Prefix: e.prefix, Max: 2, Token: first.Next})
	e.same("the rest", names(rest, e.prefix), []string{"d", "e", "f"})
}

// testLongList: more keys than one page has.
func testLongList(e *env) {
	const n = 1005
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				if _, err := e.Put(e.Context(), putRequest(e.key(fmt.Sprintf("%05d", i)), "", absent)); err != nil {
					e.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, max := range []int{0, 1000, 5000} {
		page, err := e.List(e.Context(), store.ListOptions{Prefix: e.prefix, Max: max})
		e.must(err)
		if len(page.Objects) != 1000 || page.Next == "" {
			e.Errorf("of %d: a page of %d, next %q", max, len(page.Objects), page.Next)
		}
	}
	objects, _ := e.all(store.ListOptions{Prefix: e.prefix})
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("%05d", i))
	}
	e.same("all", names(objects, e.prefix), want)
	versions, err := e.ListVersions(e.Context(), store.VersionOptions{Prefix: e.prefix})
	e.must(err)
	if len(versions.Versions) != 1000 || versions.NextKey != e.key("00999") {
		e.Errorf("a page of %d versions, next %q", len(versions.Versions), versions.NextKey)
	}
}
