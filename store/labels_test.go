package store_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

func TestCheckLabel(t *testing.T) {
	for _, good := range []string{"a", "release-1.2_rc+3", "über", "日本", strings.Repeat("ü", 64)} {
		if err := store.CheckLabel(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "1a", "-a", "a b", "a/b", "a@b", "a:b", "a=b", "a&b", "a\nb", "a\xff", "~1", strings.Repeat("a", 65)} {
		if err := store.CheckLabel(bad); !errors.Is(err, store.ErrLabel) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// add adds a label to those of a version.
func add(label string) func([]string) []string {
	return func(labels []string) []string { return append(labels, label) }
}

// Labels are set and removed beside the tags of others; a copy and a rewrite of the version have the
// others alone.
func TestLabels(t *testing.T) {
	w := newWorld(t, true)
	v := w.b.PutForeignProps(key, "base", store.Props{}, "a=1&b=x%26y")
	check := func(version, labels, tags string) {
		t.Helper()
		got, err := w.c.Labels(t.Context(), key, version)
		if err != nil || strings.Join(got, ",") != labels {
			t.Errorf("labels %q, %v, want %q", got, err, labels)
		}
		all, _ := w.b.Tags(t.Context(), key, version)
		set, _ := url.ParseQuery(all)
		if want, _ := url.ParseQuery(tags); set.Encode() != want.Encode() {
			t.Errorf("tags %q, want %q", all, tags)
		}
	}
	for _, label := range []string{"über", "b"} {
		if err := w.c.Label(t.Context(), valid(), key, v.VersionID, add(label)); err != nil {
			t.Fatal(err)
		}
	}
	check(v.VersionID, "über,b", "a=1&b=x%26y&latchfs-labels=%C3%BCber%20b")
	now, err := w.c.Head(t.Context(), key, "")
	if err != nil || now.Props.TagCount != 3 || len(w.b.History(key)) != 1 {
		t.Fatalf("%+v, %v", now, err)
	}
	next, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Base: now.Base(), Props: now.Props}, store.Body{})
	if err != nil || next.Props.TagCount != 2 {
		t.Fatalf("%+v, %v", next, err)
	}
	check(next.VersionID, "", "a=1&b=x%26y")
	copied, err := w.c.Copy(t.Context(), valid(), store.Write{Key: key, ID: "w2", Base: next.Base(), Props: now.Props}, store.Source{Key: key, Base: now.Base(), Size: now.Size})
	if err != nil {
		t.Fatal(err)
	}
	check(copied.VersionID, "", "a=1&b=x%26y")
	none := func([]string) []string { return nil }
	if err := w.c.Label(t.Context(), valid(), key, v.VersionID, none); err != nil {
		t.Fatal(err)
	}
	check(v.VersionID, "", "a=1&b=x%26y")
	before := w.c.Requests()["SetTags"]
	if err := w.c.Label(t.Context(), valid(), key, v.VersionID, none); err != nil || w.c.Requests()["SetTags"] != before {
		t.Errorf("no change: %v", err)
	}
}

// What does not fit is refused, and nothing has changed; so is what has no id of its own.
func TestLabelsThatDoNotFit(t *testing.T) {
	w := newWorld(t, true)
	var tags []string
	for i := range 10 {
		tags = append(tags, fmt.Sprintf("t%d=", i))
	}
	full := w.b.PutForeignProps("full", "x", store.Props{}, strings.Join(tags, "&"))
	if err := w.c.Label(t.Context(), valid(), "full", full.VersionID, add("a")); !errors.Is(err, store.ErrLabel) {
		t.Errorf("eleven tags: %v", err)
	}
	v := w.b.PutForeign(key, "x")
	for n := 0; ; n++ {
		err := w.c.Label(t.Context(), valid(), key, v.VersionID, add(strings.Repeat("ü", 63)+string(rune('a'+n))))
		if errors.Is(err, store.ErrLabel) && n == 3 {
			break
		}
		if err != nil || n > 3 {
			t.Fatalf("label %d: %v", n, err)
		}
	}
	for _, version := range []string{"", "null"} {
		if err := w.c.Label(t.Context(), valid(), key, version, add("a")); !errors.Is(err, store.ErrRefused) {
			t.Errorf("version %q: %v", version, err)
		}
	}
	if err := w.c.Label(t.Context(), expired{}, key, v.VersionID, add("a")); !errors.Is(err, store.ErrNotPermitted) {
		t.Errorf("without a lease: %v", err)
	}
}

type expired struct{}

func (expired) Check() error { return errors.New("expired") }

// LOCKS P4: a request that was not answered is waited for, and never lands on what was set since.
func TestLabelWithoutAnAnswer(t *testing.T) {
	for name, fault := range map[string]faultstore.Fault{
		"lost":               {LoseReply: true},
		"late":               {Late: 29 * time.Second},
		"never got there":    {Hang: true},
		"late while hanging": {Hang: true, Late: 29 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, true)
				v := w.b.PutForeign(key, "x")
				n := 0
				w.f.Hook(func(op, _ string, _ int) faultstore.Fault {
					if op != "SetTags" {
						return faultstore.Fault{}
					}
					if n++; n > 1 {
						return faultstore.Fault{}
					}
					return fault
				})
				if err := w.c.Label(t.Context(), valid(), key, v.VersionID, add("a")); err != nil {
					t.Fatal(err)
				}
				if err := w.c.Label(t.Context(), valid(), key, v.VersionID, add("b")); err != nil {
					t.Fatal(err)
				}
				w.f.Wait()
				if got, err := w.c.Labels(t.Context(), key, v.VersionID); err != nil || !slices.Contains(got, "b") || !slices.Contains(got, "a") {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
}
