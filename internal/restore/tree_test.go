package restore

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// treeKeys are names that can be files and directories by turns.
var treeKeys = []string{"d/", "d/a", "d/a/", "d/a/x", "d/a/y/", "d/a/y/z", "d/b", "d/b/c", "d/b/c/", "d/b/c/x", "d/e", "d/e/", "e/", "e"}

// state is what is below d/: content and mode by key.
func (w *world) state() map[string]string {
	all := make(map[string]string)
	for _, key := range w.mem.Keys() {
		if !strings.HasPrefix(key, "d/") {
			continue
		}
		info, err := w.History().Info(w.Context(), key, "")
		if err != nil {
			w.Fatal(err)
		}
		body, _ := w.mem.Content(key)
		all[key] = fmt.Sprintf("%s %o", body, store.ReadPosix(info.Props.Meta).Mode)
	}
	return all
}

// change makes a random change that leaves each name one thing.
func (w *world) change(r *rand.Rand) {
	key := treeKeys[r.IntN(len(treeKeys))]
	name := strings.TrimSuffix(key, "/")
	keys := w.mem.Keys()
	has := func(k string) bool { return slices.Contains(keys, k) }
	inside := slices.ContainsFunc(keys, func(k string) bool { return k != key && strings.HasPrefix(k, name+"/") })
	switch {
	case has(key) && r.IntN(2) == 0:
		if key == name || !inside {
			w.remove(key)
		}
		return
	case key == name && inside, key != name && has(name):
		return
	}
	for dir := range above(key) {
		if has(strings.TrimSuffix(dir, "/")) {
			return
		}
	}
	x := store.Posix{Mode: uint32(r.IntN(0o1000)), Mtime: time.Unix(int64(r.IntN(3)), 0), Has: store.HasMode | store.HasMtime}
	meta, err := x.Put(nil)
	if err != nil {
		w.Fatal(err)
	}
	body := ""
	if key == name {
		body = string("abc"[r.IntN(3)])
	}
	w.mem.PutForeignProps(key, body, store.Props{Meta: meta}, "")
	time.Sleep(time.Second)
}

// A directory is as it was at any time; brought back again it needs nothing; stopped in the middle it is
// done by the next run, whatever answers get lost.
func TestTreeAtAnyTime(t *testing.T) {
	var stopped atomic.Int64
	for seed := range uint64(40) {
		bubble(t, func(w *world) {
			r := rand.New(rand.NewPCG(seed, 1))
			was := map[time.Time]map[string]string{}
			for range 60 {
				w.change(r)
				was[time.Now().Add(-time.Millisecond)] = w.state()
			}
			for _, at := range slices.SortedFunc(maps.Keys(was), time.Time.Compare) {
				if len(was[at]) == 0 || r.IntN(4) > 0 {
					continue
				}
				lossy := r.IntN(2) == 0
				w.net.Hook(func(op, key string, n int) faultstore.Fault {
					chance := fnv.New32a()
					fmt.Fprint(chance, op, key, n)
					return faultstore.Fault{LoseReply: lossy && chance.Sum32()%9 == 0, Delay: time.Duration(chance.Sum32()%4) * time.Millisecond}
				})
				var p Plan
				for runs := 0; ; runs++ {
					var err error
					if p, err = w.Tree(w.Context(), "d/", at, true); err != nil {
						w.Errorf("seed %d: %v", seed, err)
						return
					}
					if len(p.Steps) == 0 || runs == 9 {
						break
					}
					ctx, stop := context.WithCancel(w.Context())
					if left := r.IntN(5); left > 0 && runs < 5 {
						time.AfterFunc(time.Duration(8*left)*time.Millisecond, stop)
					}
					for key, err := range w.run(ctx, p) {
						if !errors.Is(err, context.Canceled) {
							w.Errorf("seed %d: %s: %v", seed, key, err)
						}
					}
					if ctx.Err() != nil {
						stopped.Add(1)
					}
					stop()
				}
				w.net.Heal()
				got := w.state()
				for key := range was[at] { // a directory that was there without a marker may have one
					for dir := range above(key) {
						if was[at][dir] == "" {
							delete(got, dir)
						}
					}
				}
				if !maps.Equal(got, was[at]) || len(p.Steps) > 0 {
					w.Errorf("seed %d: is\n%v, was\n%v; to do: %v", seed, got, was[at], p.Steps)
					return
				}
			}
		})
	}
	if stopped.Load() < 20 {
		t.Errorf("only %d runs were stopped", stopped.Load())
	}
}

// What was not there then stays, unless it is to be removed; what is alike is not touched.
func TestTreeLeavesWhatIsNew(t *testing.T) {
	bubble(t, func(w *world) {
		w.put("d/same", "x")
		w.put("d/changed", "old")
		w.put("d/gone", "gone")
		w.put("e", "outside")
		at := time.Now().Add(-time.Millisecond)
		w.put("d/same", "x") // as often
		w.put("d/changed", "new")
		w.remove("d/gone")
		w.put("d/new", "new")
		w.put("e", "outside, changed")
		for _, remove := range []bool{false, true} {
			p, err := w.Tree(w.Context(), "d/", at, remove)
			if err != nil {
				w.Fatal(err)
			}
			if errs := w.run(w.Context(), p); len(errs) > 0 {
				w.Errorf("%v", errs)
			}
			w.want("d/changed", "old")
			w.want("d/gone", "gone")
			w.want("e", "outside, changed")
			w.want("d/new", map[bool]string{false: "new", true: "-"}[remove])
		}
		// The listing shows whole seconds, so that "x" was saved again with another mtime.
		if n := len(w.versions("d/same")); n != 3 {
			w.Errorf("%d versions of d/same", n)
		}
		if _, err := w.Tree(w.Context(), "d/", at.Add(-time.Hour), true); !errors.Is(err, ErrNothing) {
			w.Errorf("when nothing was there: %v", err)
		}
	})
}

// A command that changes several files does all it can: what somebody saved or has open is left and named.
func TestTreeDoesAllItCan(t *testing.T) {
	bubble(t, func(w *world) {
		for _, key := range []string{"d/a", "d/b", "d/c"} {
			w.put(key, "old")
		}
		at := time.Now().Add(-time.Millisecond)
		for _, key := range []string{"d/a", "d/b", "d/c", "d/d"} {
			w.put(key, "new")
		}
		p, err := w.Tree(w.Context(), "d/", at, true)
		if err != nil {
			w.Fatal(err)
		}
		w.put("d/a", "theirs")
		w.holding("d/b", func() {
			errs := w.run(w.Context(), p)
			if len(errs) != 2 || !errors.Is(errs["d/a"], store.ErrConflict) || !held(errs["d/b"]) {
				w.Errorf("%v", errs)
			}
		})
		for key, want := range map[string]string{"d/a": "theirs", "d/b": "new", "d/c": "old", "d/d": "-"} {
			w.want(key, want)
		}
	})
}

// A copy by parts has another ETag, and is not made again.
func TestTreeKnowsItsOwnCopies(t *testing.T) {
	bubble(t, func(w *world) {
		w.session.Objects.SetFlaws(store.CopyConditions)
		w.put("d/a", "old")
		at := time.Now().Add(-time.Millisecond)
		w.put("d/a", "new")
		for want := 1; want >= 0; want-- {
			p, err := w.Tree(w.Context(), "d/", at, false)
			if err != nil || len(p.Steps) != want {
				w.Fatalf("%v, %v", p, err)
			}
			w.run(w.Context(), p)
		}
		w.want("d/a", "old")
		if v := w.versions("d/a"); v[0].Info.ETag == v[2].Info.ETag {
			w.Error("both have one ETag")
		}
	})
}

// All that is deleted below a directory comes back with its directories, and nothing else changes.
func TestUndeleteTree(t *testing.T) {
	bubble(t, func(w *world) {
		for _, key := range []string{"d/", "d/e/", "d/e/x", "d/f", "d/here", "g"} {
			w.put(key, strings.TrimSuffix(key, "/"))
		}
		before := w.state()
		for _, key := range []string{"d/e/x", "d/e/", "d/f", "d/f", "g", "d/never"} {
			w.remove(key)
		}
		p, err := w.Deleted(w.Context(), "d/")
		if err != nil || len(p.Steps) != 3 || p.Alike != 2 {
			w.Fatalf("%v, %v", p, err)
		}
		if errs := w.run(w.Context(), p); len(errs) > 0 {
			w.Error(errs)
		}
		if got := w.state(); !maps.Equal(got, before) {
			w.Errorf("is %v, was %v", got, before)
		}
		w.want("g", "-")
	})
}

// One listing shows the history of all names, and each file takes a fixed number of requests.
func TestRequestsOfATree(t *testing.T) {
	bubble(t, func(w *world) {
		const n = 700
		for i := range n {
			w.mem.PutForeign(fmt.Sprintf("d/%04d", i), "old")
		}
		time.Sleep(time.Second)
		at := time.Now().Add(-time.Millisecond)
		for i := range n {
			w.mem.PutForeign(fmt.Sprintf("d/%04d", i), "other")
		}
		p, err := w.Tree(w.Context(), "d/", at, false)
		if err != nil || len(p.Steps) != n || w.mem.Count("ListVersions") != 2 || w.mem.Count("Head") != 0 {
			w.Fatalf("%d steps, %v, requests %v", len(p.Steps), err, w.mem.Requests())
		}
		if errs := w.run(w.Context(), p); len(errs) > 0 {
			w.Error(errs)
		}
		if w.mem.Count("Copy") != n || w.mem.Count("Head") != 2*n || w.mem.Count("List") != 0 {
			w.Errorf("requests %v", w.mem.Requests())
		}
	})
}

func TestPhases(t *testing.T) {
	var steps []Step
	for _, s := range []string{"+d/", "+d/e/", "+d/e/f", "+g", "+h/i", "-h", "-g/", "-g/k/", "-g/k/l", "-z/y/", "-z/", "-z/x", "+a"} {
		steps = append(steps, Step{Key: s[1:], Do: map[byte]Action{'+': Restore, '-': Delete}[s[0]]})
	}
	var got []string
	for _, phase := range phases(steps) {
		var keys []string
		for _, s := range phase {
			keys = append(keys, s.Key)
		}
		got = append(got, strings.Join(keys, " "))
	}
	if want := "h g/k/l|g/k/|g/|d/|d/e/|d/e/f g h/i a|z/x|z/y/|z/"; strings.Join(got, "|") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, "|"), want)
	}
}
