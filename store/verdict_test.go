package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

var verdict = store.Verdict{Endpoint: "http://e", Server: "s/1", Date: time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC),
	Flaws: store.CopyConditions | store.DeleteConditions, Races: store.DeleteConditions, Unknown: store.AbortHarms, Kept: true}

const config = `{"format":1,"id":"i"%s,"lock":{"table":"t"}}`

// kept gives the verdict that bucket.json has after that text of its list was there.
func (w *world) kept(servers, endpoint, server string) (store.Verdict, bool) {
	w.Helper()
	w.b.PutForeign(store.BucketConfigKey, fmt.Sprintf(config, servers))
	return w.read(endpoint, server)
}

func (w *world) read(endpoint, server string) (store.Verdict, bool) {
	w.Helper()
	b, _, err := w.c.ReadBucketConfig(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return b.Verdict(endpoint, server, "")
}

// A verdict is read as it was written, for the server that it is about alone.
func TestVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		if err := w.c.KeepVerdicts(t.Context(), verdict); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("without bucket.json: %v", err)
		}
		if _, ok := w.kept("", "http://e", "s/1"); ok {
			t.Error("a verdict before one was kept")
		}
		if err := w.c.KeepVerdicts(t.Context(), verdict); err != nil {
			t.Fatal(err)
		}
		if got, ok := w.read("http://e", "s/1"); !ok || got != verdict {
			t.Errorf("read %+v", got)
		}
		for _, other := range [][2]string{{"http://e", "s/2"}, {"http://f", "s/1"}} {
			if _, ok := w.read(other[0], other[1]); ok {
				t.Errorf("a verdict about %s", other)
			}
		}
		var plain struct {
			Servers []map[string]any
			Lock    struct{ Table string }
		}
		if err := json.Unmarshal([]byte(w.content(store.BucketConfigKey)), &plain); err != nil || len(plain.Servers) != 1 || plain.Lock.Table != "t" {
			t.Fatalf("%+v, %v", plain, err)
		}
		if s := plain.Servers[0]; fmt.Sprintf("%v %v %v", s["flaws"], s["races"], s["date"]) != "[copy-conditions delete-conditions] [delete-conditions] 2026-11-28T20:00:00Z" {
			t.Errorf("as JSON %v", s)
		}
	})
}

// The verdict about the bucket of a lock table is about that table alone, and one takes the place of another; the
// one about the bucket for files stays.
func TestVerdictOfALockTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.kept("", "", "")
		of := func(table string) store.Verdict {
			v := verdict
			v.LockTable = table
			return v
		}
		known := func() (names []string) {
			b, _, err := w.c.ReadBucketConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, table := range []string{"", "s3:l T", "s3:l U"} {
				if v, ok := b.Verdict("http://e", "s/1", table); ok && v == of(table) {
					names = append(names, table)
				}
			}
			return names
		}
		for i, kept := range [][]store.Verdict{{of(""), of("s3:l T")}, {of("s3:l U")}, {of("")}} {
			if err := w.c.KeepVerdicts(t.Context(), kept...); err != nil {
				t.Fatal(err)
			}
			if want := [][]string{{"", "s3:l T"}, {"", "s3:l U"}, {"", "s3:l U"}}[i]; !slices.Equal(known(), want) {
				t.Errorf("step %d: verdicts of %q, want %q", i, known(), want)
			}
		}
	})
}

// There is one verdict for each endpoint, the newest first, and no more than 16.
func TestVerdictsOfManyEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.kept("", "", "")
		for i := range 18 {
			v := verdict
			v.Endpoint = fmt.Sprint(i % 17)
			v.Server = fmt.Sprint("s/", i)
			if err := w.c.KeepVerdicts(t.Context(), v); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for i := range 17 {
			for j := range 18 {
				if v, ok := w.read(fmt.Sprint(i), fmt.Sprint("s/", j)); ok {
					got = append(got, v.Endpoint+" "+v.Server)
				}
			}
		}
		if want := "0 s/17, 2 s/2, 3 s/3, 4 s/4, 5 s/5, 6 s/6, 7 s/7, 8 s/8, 9 s/9, 10 s/10, 11 s/11, 12 s/12, 13 s/13, 14 s/14, 15 s/15, 16 s/16"; strings.Join(got, ", ") != want {
			t.Errorf("verdicts %s, want %s", strings.Join(got, ", "), want)
		}
		if text := w.content(store.BucketConfigKey); strings.Index(text, `"s/17"`) > strings.Index(text, `"s/16"`) {
			t.Errorf("the newest is not the first: %s", text)
		}
	})
}

// What cannot be read is no verdict, and stays.
func TestVerdictsOfALaterVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for servers, keeps := range map[string]bool{
			`,"servers":[{"endpoint":"http://f","server":"s/1","flaws":["warp"]},7]`: true,
			`,"servers":{"a":1}`: false, `,"servers":null`: false,
		} {
			w := newWorld(t, true)
			for _, endpoint := range []string{"http://e", "http://f"} {
				if v, ok := w.kept(servers, endpoint, "s/1"); ok {
					t.Errorf("%s: %+v", servers, v)
				}
			}
			if err := w.c.KeepVerdicts(t.Context(), verdict); err != nil {
				t.Fatal(err)
			}
			if _, ok := w.read("http://e", "s/1"); !ok {
				t.Errorf("%s: not kept", servers)
			}
			if strings.Contains(w.content(store.BucketConfigKey), "warp") != keeps {
				t.Errorf("%s became %s", servers, w.content(store.BucketConfigKey))
			}
		}
	})
}

// What somebody else writes meanwhile is not lost.
func TestVerdictWrittenBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.kept("", "", "")
		w.on("Put", 1, func() { w.b.PutForeign(store.BucketConfigKey, fmt.Sprintf(config, `,"theirs":1`)) })
		if err := w.c.KeepVerdicts(t.Context(), verdict); err != nil {
			t.Fatal(err)
		}
		if _, ok := w.read("http://e", "s/1"); !ok || !strings.Contains(w.content(store.BucketConfigKey), "theirs") {
			t.Errorf("written %s", w.content(store.BucketConfigKey))
		}
		w.f.Heal()
		n := 0
		w.f.Hook(func(op, _ string, _ int) faultstore.Fault {
			if op == "Put" {
				n++
				w.b.PutForeign(store.BucketConfigKey, fmt.Sprintf(config, fmt.Sprintf(`,"theirs":%d`, n)))
			}
			return faultstore.Fault{}
		})
		if err := w.c.KeepVerdicts(t.Context(), verdict); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("others without end: %v", err)
		}
	})
}

// Whoever waits for what others have sent waits for the worst that is known of any of their servers.
func TestTheLatestOfAllVerdicts(t *testing.T) {
	w := newWorld(t, true)
	for servers, worst := range map[string]bool{
		"":                false,
		`,"servers":[]`:   false,
		`,"servers":"?"`:  false,
		`,"servers":[{}]`: false,
		`,"servers":[{"endpoint":"e","server":"s","flaws":["copy-conditions"]}]`:                                                    false,
		`,"servers":[{"endpoint":"e","server":"s"},{"endpoint":"f","server":"s","flaws":["complete-conditions"]},{"endpoint":"g"}]`: true,
		`,"servers":[{"endpoint":"e","server":"s","flaws":["of-a-later-version"]}]`:                                                 true,
	} {
		w.b.PutForeign(store.BucketConfigKey, fmt.Sprintf(config, servers))
		b, _, err := w.c.ReadBucketConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if late := b.Late(); (late == store.CompleteConditions.Late()) != worst || (late == 0) == worst {
			t.Errorf("%s: %s", servers, late)
		}
	}
}
