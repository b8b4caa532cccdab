package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// committed makes a version with metadata and an audit, and reads it back.
func committed(t *testing.T, level store.AuditLevel, meta map[string]string, a store.Audit) (store.Commit, map[string]string) {
	t.Helper()
	b := memstore.New(memstore.Options{Versioned: true})
	c := store.New(b, store.Options{Host: "here", Audit: level})
	_, err := c.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Props: store.Props{Meta: meta}, Audit: a}, store.Body{})
	if err != nil {
		t.Fatal(err)
	}
	i, err := c.Head(t.Context(), key, "")
	if err != nil {
		t.Fatal(err)
	}
	return store.ReadCommit(i.Props.Meta), i.Props.Meta
}

// metaBytes counts the bytes of user metadata as S3 does.
func metaBytes(meta map[string]string) (n int) {
	for name, value := range meta {
		n += len(name) + len(value)
	}
	return n
}

// Each level writes what it says, and of an older commit nothing stays.
func TestAuditLevels(t *testing.T) {
	old := map[string]string{"latchfs-host": "o", "latchfs-user": "o", "latchfs-what": "restore", "latchfs-from": "o", "latchfs-write-id": "o"}
	given := store.Audit{User: "Jürgen", What: store.WhatRename, From: "a b/ü%2F"}
	for _, c := range []struct {
		level store.AuditLevel
		given store.Audit
		want  store.Audit
	}{
		{store.AuditOff, given, store.Audit{}},
		{store.AuditMinimal, given, store.Audit{Host: "here", What: store.WhatRename, From: "a b/ü%2F"}},
		{store.AuditFull, given, store.Audit{Host: "here", User: "Jürgen", What: store.WhatRename, From: "a b/ü%2F"}},
		{store.AuditFull, store.Audit{Host: "there", What: store.WhatWrite}, store.Audit{Host: "there", What: store.WhatWrite}},
		{store.AuditMinimal, store.Audit{}, store.Audit{Host: "here"}},
	} {
		got, meta := committed(t, c.level, old, c.given)
		if got != (store.Commit{ID: id, Base: "-", Audit: c.want}) {
			t.Errorf("level %d, %+v: %+v", c.level, c.given, got)
		}
		for name, value := range meta {
			if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("%s: %q cannot stand in a header", name, value)
			}
		}
	}
}

// SEMANTICS Metadata: whatever names are written, our own keys have at most 350 bytes, nothing of
// the audit is half there, and it costs no attribute.
func TestAuditFits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	hostile := func() string {
		alphabet := []string{"x", "/", "ü", "\n", "\x00", "\xff", "%", " ", "日"}
		part := alphabet[rng.IntN(len(alphabet)):]
		return strings.Repeat(part[0]+part[len(part)-1], rng.IntN(513))[:]
	}
	all := store.Posix{
		Mode: 0o100644, UID: 4294967295, GID: 4294967295, Mtime: time.Unix(-1700000000, 1), Atime: time.Unix(-1700000000, 1),
		Has: store.HasMode | store.HasUID | store.HasGID | store.HasMtime | store.HasAtime,
	}
	fitted := 0
	for range 300 {
		p := all
		if rng.IntN(2) == 0 {
			p.Has &^= store.HasAtime
		}
		before, err := p.Put(nil)
		if err != nil {
			t.Fatal(err)
		}
		given := store.Audit{Host: hostile(), User: hostile(), What: store.WhatRename, From: hostile()}
		got, meta := committed(t, store.AuditFull, before, given)
		if size := metaBytes(meta); size > 350 {
			t.Errorf("%d bytes of our own with %+v", size, given)
		}
		if got.ID != id || got.Base != "-" || store.ReadPosix(meta).Has != p.Has {
			t.Errorf("the audit %+v cost an attribute: %v", given, meta)
		}
		for _, f := range [][2]string{{got.User, given.User}, {got.From, given.From}, {string(got.What), string(given.What)}} {
			if f[0] != "" && f[0] != f[1] {
				t.Errorf("%q was given, %q is kept", f[1], f[0])
			}
			if f[0] != "" {
				fitted++
			}
		}
	}
	if fitted == 0 {
		t.Error("nothing ever fits")
	}
}

// SEMANTICS Metadata: where a foreign object leaves little room the audit goes, and costs no attribute: all the rest is as without it.
func TestAuditGoesFirst(t *testing.T) {
	p := store.Posix{Mode: 0o100644, Mtime: time.Unix(1, 0), Atime: time.Unix(1, 0), Has: store.HasMode | store.HasMtime | store.HasAtime}
	given := store.Audit{Host: "h", User: "user", What: store.WhatRename, From: "from-there"}
	parts := []string{"latchfs-host", "latchfs-what", "latchfs-user", "latchfs-from"}
	seen := make(map[string]bool)
	meta, err := p.Put(nil)
	if err != nil {
		t.Fatal(err)
	}
	most := 2048 - metaBytes(meta) - metaBytes(map[string]string{"latchfs-write-id": string(id), "latchfs-base": "-", "x": ""})
	for n := most - 200; n <= most; n++ {
		meta["x"] = strings.Repeat("x", n)
		_, without := committed(t, store.AuditOff, meta, given)
		_, with := committed(t, store.AuditFull, meta, given)
		left := ""
		for _, name := range parts {
			if _, ok := with[name]; ok {
				left += name[len("latchfs-"):] + " "
			}
			delete(with, name)
		}
		seen[left] = true
		if !maps.Equal(with, without) {
			t.Fatalf("with %d foreign bytes the audit changes %v to %v", n, without, with)
		}
	}
	// A shorter part may still fit where one that is worth more does not.
	for _, want := range []string{"", "host ", "host what ", "host what user ", "host what user from "} {
		if !seen[want] {
			t.Errorf("never just %q: %q", want, slices.Sorted(maps.Keys(seen)))
		}
	}
}

// What is written by other tools is foreign, whether it has no write id or a copied one.
func TestForeign(t *testing.T) {
	commits := func(ids string) (all []store.Commit) {
		for _, id := range ids {
			c := store.Commit{ID: store.WriteID(id)}
			if id == '-' {
				c.ID = ""
			}
			all = append(all, c)
		}
		return all
	}
	for ids, want := range map[string]string{
		"":       "[]",
		"a":      "[false]",
		"abc":    "[false false false]",
		"aba":    "[false false true]",
		"aa-a":   "[false true true true]",
		"-a-baa": "[true false true false true true]",
	} {
		if got := fmt.Sprint(store.Foreign(commits(ids))); got != want {
			t.Errorf("%q: %s, want %s", ids, got, want)
		}
	}
}

// What cannot have been written by a commit is shown as it stands or not at all.
func TestReadCommit(t *testing.T) {
	got := store.ReadCommit(map[string]string{"latchfs-host": "%zz", "latchfs-what": "delete", "latchfs-from": "x", "latchfs-user": "a%20b"})
	if want := (store.Commit{Audit: store.Audit{Host: "%zz", User: "a b"}}); got != want {
		t.Errorf("%+v", got)
	}
}
