package store_test

import (
	"maps"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

// What was set is named until it is set again, by whatever tool.
func TestMtimeSet(t *testing.T) {
	p := store.Posix{Mode: 0o040755, Mtime: time.Unix(1700000000, 5), Has: store.HasMode | store.HasMtime}
	put := func(meta map[string]string, mtime time.Time, id string) map[string]string {
		p.Mtime = mtime
		out, err := p.Put(store.WithMtimeSet(meta, p, id))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	with := func(meta map[string]string, name, value string) map[string]string {
		out := maps.Clone(meta)
		out[name] = value
		return out
	}
	first := put(map[string]string{"mtime": "1"}, p.Mtime, "a")
	entries := put(first, p.Mtime.Add(time.Minute), store.MtimeSet(first))
	made, err := p.Put(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		meta map[string]string
		want string
	}{
		{"set", first, "a"},
		{"the entries' time", entries, "a"},
		{"set again", put(entries, p.Mtime, "b"), "b"},
		{"made", made, made["file-mtime"]},
		{"made, then the entries' time", put(made, p.Mtime.Add(time.Hour), store.MtimeSet(made)), made["file-mtime"]},
		{"rclone touch", with(entries, "mtime", "1800000000"), "1800000000000000000ns"},
		{"DataSync", with(entries, "file-mtime", "5ns"), "5ns"},
		{"no mtime", map[string]string{"latchfs-mtime-set": "a/5ns"}, ""},
		{"no metadata, then the entries' time", put(nil, p.Mtime, store.MtimeSet(nil)), ""},
	} {
		if got := store.MtimeSet(c.meta); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
