package history

import (
	"testing"
	"time"
)

// A word stands for the version that was current at its time, deletions included.
// SEMANTICS ".versions/"
func TestAlias(t *testing.T) {
	b := &bucket{}
	b.add("k", "first", 0)
	b.add("k", "second", 3600)
	b.del("k", "gone", 2*3600)
	b.add("k", "late", 5*3600)
	b.add("k", "upload", 4*3600) // began before the one that it replaced: raised
	versions := versionsOf(t, b, "k")
	now := noon.Add(26 * time.Hour)
	for word, want := range map[string]string{
		"first": "first", "prev": "late",
		"yesterday": "gone", "1d": "gone", "-1d": "gone", "26h": "first", "25h": "second", "21h": "upload", "22h": "gone", "0s": "upload",
		"2026-11-22T12.00.00Z": "first", "2026-11-22T12:59:59Z": "first", "2026-11-22T13:00:00Z": "second", "2026-11-22T13:00": "second",
		"2026-11-22T16.30.00Z": "gone", "2026-11-22T19:00:00+02:00": "upload", "2026-11-23": "upload",
		"27h": "", "2026-11-22": "", "2026-11-22T11.59.59Z": "", "2026-11-24": "", "last": "", "": "", "-": "", "@first": "", "First": "",
		"2026-11-22T12.00.00Z.000~first": "",
	} {
		if v, ok := Alias(versions, word, now); v.Info.VersionID != want || ok != (want != "") {
			t.Errorf("@%s is %q, %v; want %q", word, v.Info.VersionID, ok, want)
		}
	}
	for _, word := range []string{"first", "prev", "2h", "2026-11-23"} {
		if v, ok := Alias(nil, word, now); ok {
			t.Errorf("@%s of nothing is %+v", word, v)
		}
	}
	if v, ok := Alias(versions[:1], "prev", now); ok {
		t.Errorf("@prev of the only version is %+v", v)
	}
}
