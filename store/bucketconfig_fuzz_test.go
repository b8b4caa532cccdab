package store

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzBucketConfig: whatever stands in bucket.json, it is an error or a configuration of a format
// that we know; written again it is the same for us, and says the same as before in every field,
// also in those of a later version.
func FuzzBucketConfig(f *testing.F) {
	for _, text := range []string{
		`{"format":1,"id":"i","region":"r","lock":{"backend":"s3","table":"t","table_id":"u"}}`,
		`{"format":1,"id":"i","probes":{"x":[1,2]},"lock":{"table":"t","zone":"z"}}`,
		`{"format":1,"id":"i","servers":[{"endpoint":"http://e","server":"s","date":"2026-11-28T20:00:00Z","flaws":["abort"],"kept":true,"new":1},7]}`,
		`{"format":1,"id":"i","servers":{"x":1}}`, `{"format":1,"id":"i","servers":null}`, `{"format":1,"id":"i","servers":[]}`,
		`{"format":2}`, `{"format":1}`, `{"format":1.5,"id":"i"}`, `null`, `[]`, `{"format":1,"id":"i","lock":null}`,
		`{"format":1,"id":"i","Format":2}`, `{"FORMAT":7,"format":1,"id":"i"}`, `{"format":1,"id":"i","lock":{"Table":"t"}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 16<<10 {
			return
		}
		var b BucketConfig
		if json.Unmarshal([]byte(text), &b) != nil {
			return
		}
		if b.Format < 1 || b.Format > BucketFormat || b.ID == "" {
			t.Fatalf("%s was taken as %+v", text, b)
		}
		out, err := json.Marshal(b)
		if err != nil {
			t.Fatalf("%s cannot be written again: %v", text, err)
		}
		var again BucketConfig
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("%s written as %s: %v", text, out, err)
		}
		if again.Format != b.Format || again.ID != b.ID || again.Region != b.Region || again.Lock.Backend != b.Lock.Backend ||
			again.Lock.Table != b.Lock.Table || again.Lock.TableID != b.Lock.TableID {
			t.Errorf("%+v, before %+v", again, b)
		}
		sameFields(t, "", plainJSON(t, text), plainJSON(t, string(out)))
	})
}

func plainJSON(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// sameFields fails unless all fields of before stand in after, which may have more. Our own may
// have been null, which says nothing.
func sameFields(t *testing.T, at string, before, after map[string]any) {
	t.Helper()
	for name, old := range before {
		now, ok := after[name]
		below, isObject := old.(map[string]any)
		switch {
		case !ok:
			t.Errorf("%s%s is gone", at, name)
		case old == nil && (at == "lock." || name == "lock" || name == "region"):
		case at == "" && name == "lock" && isObject:
			nowBelow, _ := now.(map[string]any)
			sameFields(t, "lock.", below, nowBelow)
		case !reflect.DeepEqual(now, old):
			t.Errorf("%s%s is %v and was %v", at, name, now, old)
		}
	}
}
