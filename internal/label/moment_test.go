package label

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// The moments of a directory are its own and those of the directories above; the nearest and then the
// newest counts. One that is removed leaves the others.
func TestMoments(t *testing.T) {
	mem := memstore.New(memstore.Options{Versioned: true})
	m := Moments{store.New(mem, store.Options{})}
	day := func(n int) time.Time { return time.Date(2026, 11, n, 1, 2, 3, 0, time.UTC) }
	for _, s := range []struct {
		dir, name string
		day       int
	}{{"", "root", 1}, {"", "both", 9}, {"a/", "both", 2}, {"a/", "both", 3}, {"a/", "both", 3}, {"a/", "über", 4}, {"a/b/", "deep", 5}, {"a/@/", "odd", 6}} {
		if err := m.Set(t.Context(), s.dir, Moment{s.name, day(s.day)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, junk := range []string{"a/@/x", "a/@/x~yesterday", "a/@/1x~2026-11-22T18.29.05Z", "a/@/x~2026-11-22T18.29.05Z/y"} {
		mem.PutForeign(momentsPrefix+junk, "")
	}
	want := func(dir string, want string) {
		t.Helper()
		all, err := m.Of(t.Context(), dir)
		var got []string
		for _, at := range all {
			got = append(got, fmt.Sprint(at.Name, at.Time.Day()))
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v, want %q", dir, got, err, want)
		}
	}
	want("", "both9 root1")
	want("a/", "both3 root1 über4")
	want("a/b/", "both3 deep5 root1 über4")
	want("a/@/", "both3 odd6 root1 über4")
	want("c/", "both9 root1")
	if err := m.Remove(t.Context(), "a/", "both"); err != nil {
		t.Fatal(err)
	}
	want("a/b/", "both9 deep5 root1 über4")
	if at, ok, err := m.Find(t.Context(), "a/", "über"); err != nil || !ok || !at.Time.Equal(day(4)) {
		t.Errorf("%v, %v, %v", at, ok, err)
	}
	if _, ok, err := m.Find(t.Context(), "a/", "none"); err != nil || ok {
		t.Errorf("%v, %v", ok, err)
	}
	if err := m.Set(t.Context(), strings.Repeat("x/", 500), Moment{"a", day(1)}); !errors.Is(err, store.ErrLabel) {
		t.Errorf("a long name: %v", err)
	}
	if !slices.Contains(mem.Keys(), ".latchfs/labels/a/@/über~2026-11-04T01.02.03Z") {
		t.Errorf("%q", mem.Keys())
	}
}

// What was saved before Now was asked is in the moment, and when it is ready nothing more can be.
func TestMomentNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			time.Sleep(137 * time.Millisecond)
			mem := memstore.New(memstore.Options{Versioned: true})
			before := mem.PutForeign("a", "").LastModified
			at, ready := Moments{store.New(mem, store.Options{})}.Now()
			time.Sleep(ready)
			after := mem.PutForeign("a", "").LastModified
			if before.After(at) || !after.After(at) || ready > settling || at.Nanosecond() != 0 {
				t.Errorf("%v, %v, %v, ready in %v", before, at, after, ready)
			}
		}
	})
}
