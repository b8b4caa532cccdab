package restore

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// Changes of the key f: a letter is content, "-" a deletion.
func (w *world) changes(s string) {
	for _, c := range s {
		if c == '-' {
			w.remove("f")
		} else {
			w.put("f", string(c))
		}
	}
}

func TestBefore(t *testing.T) {
	for changes, want := range map[string]string{
		"": "", "a": "", "-": "", "aa": "", "a-": "a", "ab": "a", "abb": "a", "aba": "b", "ab-": "b", "a-b": "a", "ab--": "b", "aab-b": "a",
	} {
		bubble(t, func(w *world) {
			w.changes(changes)
			v, err := Before(w.versions("f"))
			switch {
			case want == "" && !errors.Is(err, ErrNothing):
				w.Errorf("%q: %v, %v", changes, v.Name, err)
			case want == "":
			case err != nil:
				w.Errorf("%q: %v", changes, err)
			default:
				s, err := w.To(w.Context(), w.versions("f"), v, "f")
				if err == nil {
					_, err = w.Do(w.Context(), s)
				}
				if err != nil || w.content("f") != want || len(w.versions("f")) != len(changes)+1 {
					w.Errorf("%q: %v, %q", changes, err, w.content("f"))
				}
			}
		})
	}
}

func TestUndo(t *testing.T) {
	for _, tt := range []struct {
		changes string
		n       int
		want    string // "" is nothing to do
	}{
		{"", 1, ""}, {"a", 1, "-"}, {"a", 2, ""}, {"ab", 1, "a"}, {"ab", 2, "-"}, {"a-", 1, "a"}, {"a-", 2, ""}, {"a-b", 1, "-"}, {"a-b", 2, "a"},
		{"aab", 2, "a"}, {"-", 1, ""}, {"a--", 1, ""}, {"a--", 2, "a"},
	} {
		bubble(t, func(w *world) {
			w.changes(tt.changes)
			s, err := w.Undo(w.Context(), w.versions("f"), tt.n)
			if tt.want == "" {
				if !errors.Is(err, ErrNothing) {
					w.Errorf("%+v: %v", tt, err)
				}
				return
			}
			if err == nil {
				_, err = w.Do(w.Context(), s)
			}
			if err != nil || w.content("f") != tt.want || len(w.versions("f")) != len(tt.changes)+1 {
				w.Errorf("%+v: %v, %q", tt, err, w.content("f"))
			}
		})
	}
}

// What was before the oldest version that is left is not known to have been nothing.
func TestUndoOfTheOldestThatIsLeft(t *testing.T) {
	bubble(t, func(w *world) {
		w.changes("ab")
		s, err := w.Undo(w.Context(), w.versions("f"), 1)
		if err == nil {
			_, err = w.Do(w.Context(), s)
		}
		if err != nil {
			w.Fatal(err)
		}
		for _, v := range w.versions("f")[:2] {
			w.mem.Destroy("f", v.Info.VersionID)
		}
		if _, err := w.Undo(w.Context(), w.versions("f"), 1); !errors.Is(err, ErrNothing) {
			w.Error(err)
		}
	})
}

// What belongs to the content comes along; what a commit says of itself does not.
func TestRestoresProperties(t *testing.T) {
	bubble(t, func(w *world) {
		mtime := time.Unix(1e9, 123)
		x := store.Posix{Mode: 0o100640, UID: 3, GID: 4, Mtime: mtime, Has: store.HasMode | store.HasUID | store.HasGID | store.HasMtime}
		meta, err := x.Put(map[string]string{"own": "kept"})
		if err != nil {
			w.Fatal(err)
		}
		was := store.Props{Meta: meta, ContentType: "text/x", CacheControl: "no-cache"}
		w.mem.PutForeignProps("f", "old", was, "a=1&b=2")
		w.mem.PutForeign("g", "foreign")
		time.Sleep(time.Hour)
		w.put("f", "new")
		w.put("g", "other")
		for _, key := range []string{"f", "g"} {
			old := w.versions(key)[0]
			s, err := w.To(w.Context(), w.versions(key), old, key)
			if err != nil {
				w.Fatal(err)
			}
			made, err := w.Do(w.Context(), s)
			if err != nil {
				w.Fatal(err)
			}
			first, _ := w.History().Info(w.Context(), key, old.Info.VersionID)
			now, _ := w.History().Info(w.Context(), key, made.Info.VersionID)
			if !store.Alike(first, now) || !first.ModTime().Equal(now.ModTime()) || first.Props.TagCount != now.Props.TagCount {
				w.Errorf("%s is\n%+v, was\n%+v", key, now, first)
			}
			c := store.ReadCommit(now.Props.Meta)
			if c.ID == "" || c.What != store.WhatRestore || c.From != old.Info.VersionID || c.Base != s.Is.VersionID {
				w.Errorf("%s: the commit says %+v", key, c)
			}
		}
		if now, _ := w.History().Info(w.Context(), "f", ""); !maps.Equal(map[string]string{"own": now.Props.Meta["own"]}, map[string]string{"own": "kept"}) {
			w.Errorf("metadata %v", now.Props.Meta)
		}
	})
}

// SEMANTICS G1: what somebody saves after the versions were listed stays, also while the name was waited
// for; who has it open for longer is named.
func TestSomebodySaves(t *testing.T) {
	bubble(t, func(w *world) {
		w.changes("ab")
		for _, to := range []string{"f", "g"} {
			s, err := w.To(w.Context(), w.versions("f"), w.versions("f")[0], to)
			if err != nil {
				w.Fatal(err)
			}
			w.holding(to, func() {
				time.AfterFunc(time.Second, func() { w.mem.PutForeign(to, "theirs") })
				if _, err := w.Do(w.Context(), s); !held(err) {
					w.Errorf("while it is held: %v", err)
				}
			})
			if _, err := w.Do(w.Context(), s); !errors.Is(err, store.ErrConflict) {
				w.Errorf("after it was saved: %v", err)
			}
			w.want(to, "theirs")
		}
	})
}

func held(err error) bool {
	_, is := errors.AsType[*lockmgr.HeldError](err)
	return is
}

func TestRestoreRefuses(t *testing.T) {
	bubble(t, func(w *world) {
		w.mem.PutForeignProps("f", "ice", store.Props{StorageClass: "GLACIER"}, "")
		w.changes("b-")
		for i, want := range []string{"version", "", "deletion"} {
			s, err := w.To(w.Context(), w.versions("f"), w.versions("f")[i], "f")
			if err == nil {
				_, err = w.Do(w.Context(), s)
			}
			archived, is := errors.AsType[*ArchivedError](err)
			switch want {
			case "version":
				if !is || archived.Class != "GLACIER" {
					w.Errorf("archived: %v", err)
				}
			case "deletion":
				if err == nil || is {
					w.Errorf("deletion: %v", err)
				}
			default:
				if err != nil {
					w.Error(err)
				}
			}
		}
		v := w.versions("f")
		if _, err := w.To(w.Context(), v, v[len(v)-1], "f"); !errors.Is(err, ErrNothing) {
			w.Errorf("the current one: %v", err)
		}
		w.mem.Suspend()
		r := w.on(w.session)
		if _, err := r.To(w.Context(), v, v[1], "f"); err == nil {
			w.Error("on a suspended bucket")
		}
		if _, err := r.Undo(w.Context(), v, 1); err == nil {
			w.Error("undo on a suspended bucket")
		}
	})
}

// Nothing is copied: the version that was there is current again, with its id.
func TestUndelete(t *testing.T) {
	bubble(t, func(w *world) {
		w.changes("ab--")
		id := w.versions("f")[1].Info.VersionID
		undelete := func() error {
			_, err := w.Do(w.Context(), Step{Key: "f", Do: Undelete})
			return err
		}
		// Two at once: one of them does it.
		errs := make(chan error, 2)
		for range 2 {
			go func() { errs <- undelete() }()
		}
		one, two := <-errs, <-errs
		if one == nil {
			one, two = two, one
		}
		v := w.versions("f")
		if two != nil || !errors.Is(one, ErrNothing) || len(v) != 2 || v[1].Info.VersionID != id {
			w.Errorf("%v, %v, %d versions", one, two, len(v))
		}
		// Somebody saves in the moment in which the deletion is removed: what he saved stays.
		w.remove("f")
		w.net.Hook(func(op, _ string, _ int) faultstore.Fault {
			if op == "DeleteVersion" {
				w.mem.PutForeign("f", "theirs")
			}
			return faultstore.Fault{}
		})
		if err := undelete(); !errors.Is(err, store.ErrConflict) {
			w.Error(err)
		}
		w.net.Hook(nil)
		w.want("f", "theirs")
		for _, v := range w.versions("f") {
			w.mem.Destroy("f", v.Info.VersionID)
		}
		w.remove("f")
		if err := undelete(); !errors.Is(err, ErrNothing) {
			w.Error(err)
		}
		w.mem.PutForeign("g", "x")
		w.mem.Suspend()
		w.mem.DeleteForeign("g")
		if _, err := w.on(w.session).Do(w.Context(), Step{Key: "g", Do: Undelete}); err == nil || w.content("g") != "-" {
			w.Errorf("a deletion without an id: %v", err)
		}
	})
}

// A lease that is lost before anything was sent under it is had anew.
func TestLeaseIsLost(t *testing.T) {
	for action, want := range map[Action]string{Restore: "a", Delete: "-", Undelete: "b"} {
		bubble(t, func(w *world) {
			w.changes("ab")
			s := Step{Key: "f", Do: action, From: w.versions("f")[0].Info, Is: w.versions("f")[1].Info.Base()}
			if action == Undelete {
				w.remove("f")
			}
			lost := 0
			w.net.Hook(func(op, key string, _ int) faultstore.Fault {
				if op == "Head" && lost < 2 && w.locks.Locks() > 0 {
					lost++
					for n := 1; n < 9; n++ {
						w.locks.DeleteSession(fmt.Sprintf("host1.%d", n)) // as somebody who broke the lock, or a TTL
					}
					time.Sleep(2 * timing.Beat)
				}
				return faultstore.Fault{}
			})
			if _, err := w.Do(w.Context(), s); err != nil || lost != 2 {
				w.Errorf("%s: %v, lost %d times", action, err, lost)
			}
			w.want("f", want)
			time.Sleep(2 * (timing.Lease + timing.Delay))
		})
	}
}
