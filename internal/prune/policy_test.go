package prune

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
)

const day = 24 * time.Hour

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// versions makes those of a file from words: how long ago each was made, with "!" before a deletion
// and "0" before what has no id of its own; oldest first.
func versions(t *testing.T, words string) (all []history.Version) {
	t.Helper()
	for i, word := range strings.Fields(words) {
		v := history.Version{Info: store.Info{Key: "f", VersionID: fmt.Sprint("v", i)}}
		if word[0] == '0' {
			v.Info.VersionID, word = "null", word[1:]
		}
		if word[0] == '!' {
			v.Deleted, word = true, word[1:]
		}
		ago, err := time.ParseDuration(word)
		if err != nil {
			t.Fatal(err)
		}
		v.Time = now.Add(-ago)
		all = append(all, v)
	}
	return all
}

// gone gives the places of the versions that go, with "!" before the deletions.
func gone(p Policy, all []history.Version) string {
	var words []string
	left := make([]history.Version, 0, len(all))
	goes := map[string]bool{}
	for _, v := range p.contents(all, now) {
		goes[v.Info.VersionID] = true
		words = append(words, v.Info.VersionID[1:])
	}
	for _, v := range all {
		if !goes[v.Info.VersionID] {
			left = append(left, v)
		}
	}
	for _, v := range p.markers(left, now) {
		words = append(words, "!"+v.Info.VersionID[1:])
	}
	return strings.Join(words, " ")
}

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		policy   Policy
		versions string
		want     string
	}{
		// The current version and the newest content of a deleted file never go.
		{Policy{}, "", ""},
		{Policy{}, "1h", ""},
		{Policy{}, "3h 2h 1h", "0 1"},
		{Policy{}, "3h 2h !1h", "0"},
		{Policy{}, "9h 8h !7h 6h !5h", "0 1 !2"},
		{Policy{}, "9h !8h !7h", ""},
		// What has no id of its own stays, and a deletion with something below it.
		{Policy{}, "03h 2h 1h", "1"},
		{Policy{}, "03h !2h 1h", ""},
		{Policy{}, "3h 0!2h 1h", "0"},
		// Deletions with nothing below them.
		{Policy{}, "!3h", "!0"},
		{Policy{}, "!3h !2h 1h", "!0 !1"},
		{Policy{OlderThan: 2 * time.Hour}, "!3h !1h", ""},
		{Policy{OlderThan: time.Hour}, "!3h !1h", "!0 !1"},
		// Since it was replaced, not since it was made.
		{Policy{OlderThan: 2 * day}, "240h 72h 24h 1h", "0"},
		{Policy{OlderThan: 72 * time.Hour}, "240h 72h", "0"},
		{Policy{OlderThan: 72*time.Hour + 1}, "240h 72h", ""},
		// keep-last counts what has content.
		{Policy{KeepLast: 1}, "5h 4h 3h", "0 1"},
		{Policy{KeepLast: 2}, "5h 4h 3h", "0"},
		{Policy{KeepLast: 3}, "5h 4h 3h", ""},
		{Policy{KeepLast: 2}, "5h 4h !3h 2h !1h", "0"},
		// keep-daily: 12:00 is now; 13h ago was yesterday. Days without versions do not count.
		{Policy{KeepDaily: 2}, "240h 38h 37h 14h 13h 2h 1h", "0 1 2 3 5"},
		{Policy{KeepDaily: 4}, "240h 38h 37h 14h 13h 2h 1h", "1 3 5"},
		{Policy{KeepDaily: 1}, "11h !2h", ""},
		// keep-within counts from the newest version.
		{Policy{KeepWithin: 2 * time.Hour}, "240h 103h 102h 101h", "0"},
		{Policy{KeepWithin: 3 * time.Hour}, "104h 103h 102h 101h !1h", ""},
		// Any flag keeps; --older-than lets go what none keeps.
		{Policy{KeepLast: 2, KeepDaily: 2}, "14h 13h 3h 2h 1h", "0 2"},
		{Policy{KeepLast: 1, OlderThan: 4 * time.Hour}, "9h 5h 3h 1h", "0"},
	} {
		if got := gone(c.policy, versions(t, c.versions)); got != c.want {
			t.Errorf("%+v of %q: %q goes, want %q", c.policy, c.versions, got, c.want)
		}
	}
}

// Of any history the newest content stays, what goes has gone after a second look too, and every
// flag more keeps more.
func TestPolicyKeeps(t *testing.T) {
	var words []string
	for n := range 4096 {
		words = words[:0]
		for i := range 6 {
			word := fmt.Sprintf("%dh", (6-i)*7)
			if n>>(2*i)&3 == 1 {
				word = "!" + word
			}
			if n>>(2*i)&3 == 2 {
				word = "0" + word
			}
			words = append(words, word)
		}
		all := versions(t, strings.Join(words, " "))
		newest := ""
		for _, v := range all {
			if !v.Deleted {
				newest = v.Info.VersionID[1:]
			}
		}
		most := gone(Policy{}, all)
		for _, p := range []Policy{{}, {KeepLast: 2}, {KeepDaily: 1}, {KeepWithin: day}, {OlderThan: day}} {
			got := gone(p, all)
			for _, word := range strings.Fields(got) {
				if word == newest || !strings.Contains(" "+most+" ", " "+word+" ") {
					t.Fatalf("%+v of %q: %q goes", p, words, got)
				}
			}
		}
	}
}

// Where no age is asked for none counts: the server's clock, as we know it, may be a second behind.
func TestPolicyOfThisMoment(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	var versions []history.Version
	for i, id := range []string{"a", "b", "c"} {
		versions = append(versions, history.Version{Info: store.Info{VersionID: id}, Time: now.Add(time.Duration(i) * time.Second)})
	}
	if got := (Policy{KeepLast: 1}).contents(versions, now); len(got) != 2 {
		t.Errorf("%d of the versions go, want 2", len(got))
	}
	deleted := []history.Version{{Info: store.Info{VersionID: "d"}, Deleted: true, Time: now.Add(time.Second)}}
	if got := (Policy{}).markers(deleted, now); len(got) != 1 {
		t.Errorf("%d of the deletions go, want 1", len(got))
	}
}
