package history

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

// labels maps labels to ids.
type labels map[string]string

func (l labels) Labeled(_ context.Context, _ []Version, label string) (string, bool, error) {
	switch label {
	case "broken":
		return "", false, errors.New("broken")
	case "deletion", "denied":
		return "", false, store.ErrAccessDenied
	}
	id, ok := l[label]
	return id, ok, nil
}

// revBucket has six versions of f, of which the last one is a deletion.
func revBucket() *bucket {
	b := &bucket{}
	b.add("f", "first-one-1", 0)
	b.add("f", "null", 60)
	b.add("f", "abcdefgh-1", 120)
	b.add("f", "abcdefgh-2", 120)
	b.add("f", "labelled-5", 3600)
	b.del("f", "deletion-6", 7200)
	b.add("new", "only-one-1", 0)
	return b
}

// SEMANTICS ".versions/"
func TestResolve(t *testing.T) {
	b := revBucket()
	versions, err := New(b).Versions(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	r := Revs{Now: noon.Add(3 * time.Hour), Zone: time.FixedZone("east", 3600), Labels: labels{"release": "labelled-5", "abcdefgh-1": "null", "lost": "purged-id-9"}}
	for rev, want := range map[string]string{
		"abcdefgh-1":     "abcdefgh-1", // a whole id goes before a label
		"null":           "null",
		"labelled":       "labelled-5",
		versions[3].Name: "abcdefgh-2",
		versions[5].Name: "deletion-6",
		strings.Replace(versions[4].Name, ".000~", ".007~", 1): "labelled-5", // as it was before others were purged
		"release":              "labelled-5",
		"deletion":             "deletion-6", // also for one who may not read labels
		"~0":                   "deletion-6",
		"~1":                   "labelled-5",
		"prev":                 "labelled-5",
		"~5":                   "first-one-1",
		"first":                "first-one-1",
		"2026-11-22T12:00:00Z": "first-one-1",
		"2026-11-22T13:02":     "abcdefgh-2", // the zone's, and the last one of its second
		"2026-11-22T12.59.59Z": "abcdefgh-2",
		"2h":                   "labelled-5",
		"121m":                 "abcdefgh-2",
		"30m":                  "deletion-6",
	} {
		v, err := New(b).Resolve(t.Context(), "f", rev, r)
		if err != nil || v.Info.VersionID != want || v.Deleted != (want == "deletion-6") {
			t.Errorf("%s: %s, %v; want %s", rev, v.Info.VersionID, err, want)
		}
	}
	if v, err := New(b).Resolve(t.Context(), "new", "1h", r); err != nil || v.Info.VersionID != "only-one-1" {
		t.Errorf("another key: %v, %v", v, err)
	}
}

// What names nothing says what was looked for, and what there is.
func TestResolveNothing(t *testing.T) {
	b := revBucket()
	r := Revs{Now: noon.Add(3 * time.Hour), Zone: time.UTC, Labels: labels{"lost": "purged-id-9"}}
	for rev, says := range map[string]string{
		"abcdefgh":          "several ids begin so",
		"abcdefg":           "several ids begin so",
		"labelle":           "8 characters or more",
		"nothing-1":         "no label, id or name of a version, and",
		"lost":              "no label, id or name of a version, and",
		"7nothing":          "it is no id or name of a version, and",
		"~":                 "write ~1",
		"~x":                "write ~1",
		"~-1":               "write ~1",
		"~6":                "~5 is the oldest",
		"~99999999999999":   "~5 is the oldest",
		"2026-11-22T11:59Z": "the oldest one that is left is of 2026-11-22T12:00:00Z",
		"2027-01-01":        "is in the future",
		"":                  "after @ there is no",
	} {
		v, err := New(b).Resolve(t.Context(), "f", rev, r)
		if !errors.Is(err, ErrNoVersion) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, %v; want an error with %q", rev, v, err, says)
		} else if !strings.Contains(err.Error(), "~deletion~deleted, ") || strings.Count(err.Error(), ".000~")+strings.Count(err.Error(), ".001~") != 3 {
			t.Errorf("%q: %v does not name the newest three", rev, err)
		}
	}
	// What may be a label that nobody tells us of is not said to be none.
	if _, err := New(b).Resolve(t.Context(), "f", "denied", r); !errors.Is(err, store.ErrAccessDenied) || errors.Is(err, ErrNoVersion) ||
		!strings.Contains(err.Error(), "it is no id or name of a version (the bucket does not tell the labels), and") {
		t.Errorf("of labels that may not be read: %v", err)
	}
	if _, err := New(b).Resolve(t.Context(), "new", "~1", r); err == nil || !strings.Contains(err.Error(), "there is only 2026") {
		t.Errorf("of one version: %v", err)
	}
	if _, err := New(b).Resolve(t.Context(), "never", "~1", r); !errors.Is(err, ErrNoVersion) || !strings.Contains(err.Error(), `nothing is, or was, at "never"`) {
		t.Errorf("of none: %v", err)
	}
	if _, err := New(b).Resolve(t.Context(), "f", "broken", r); err == nil || errors.Is(err, ErrNoVersion) {
		t.Errorf("labels that cannot be read: %v", err)
	}
	b.err = errors.New("broken")
	if _, err := New(b).Resolve(t.Context(), "f", "~1", r); !errors.Is(err, b.err) {
		t.Errorf("a store that fails: %v", err)
	}
}

// Whatever reads as another name of a version is no label.
func TestIsLabel(t *testing.T) {
	for _, s := range []string{"release", "v1.2", "Prüfung 3", "a~b", "yesterday2", "x"} {
		if !IsLabel(s) {
			t.Errorf("%q is none", s)
		}
	}
	for _, s := range []string{"", "1st", "2026-11-22", "2h", "-2h", "~1", "yesterday", "prev", "first", "a@b", "a/b", "a\nb", "a\x1b[m", "a\xff", " a", "2026-11-22T18.29.05Z.000~3sL4kqtJ"} {
		if IsLabel(s) {
			t.Errorf("%q is one", s)
		}
	}
}

func TestEach(t *testing.T) {
	b := &bucket{}
	for i, key := range []string{"d/f", "d/f", "d/e/x", "d/", "dd", "c", "d/f", "d//z", ".latchfs/bucket.json", "d/g"} {
		b.add(key, "version-"+string(rune('a'+i)), float64(i))
	}
	b.del("d/e/x", "version-z", 20)
	list := func(prefix string) (string, error) {
		var all []string
		err := New(b).Each(t.Context(), prefix, func(key string, versions []Version) error {
			text := key
			for _, v := range versions {
				if v.Info.Key != key || v.Name == "" || v.Time.IsZero() {
					t.Errorf("%+v under %q", v, key)
				}
				text += ":" + v.Info.VersionID[8:]
			}
			all = append(all, text)
			if key == "d/stop" {
				return store.ErrNotFound
			}
			return nil
		})
		return strings.Join(all, " "), err
	}
	for prefix, want := range map[string]string{
		"d/":   "d/:d d/e/x:c:z d/f:a:b:g d/g:j",
		"":     "c:f d/:d d/e/x:c:z d/f:a:b:g d/g:j dd:e",
		"none": "",
	} {
		for _, b.page = range []int{1, 2, 3, 1000} {
			if got, err := list(prefix); got != want || err != nil {
				t.Errorf("below %q by pages of %d: %q, %v; want %q", prefix, b.page, got, err, want)
			}
		}
	}
	b.add("d/stop", "version-s", 30)
	b.add("d/zzz", "version-t", 30)
	if got, err := list("d/"); !errors.Is(err, store.ErrNotFound) || !strings.HasSuffix(got, " d/stop:s") {
		t.Errorf("stopped: %q, %v", got, err)
	}
	b.err = errors.New("broken")
	if _, err := list(""); !errors.Is(err, b.err) {
		t.Errorf("a store that fails: %v", err)
	}
}
