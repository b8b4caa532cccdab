package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Settle tells what became of a write whose author is dead, at once.
func TestSettle(t *testing.T) {
	for _, versioned := range []bool{true, false} {
		for _, c := range []struct {
			name string
			do   func(w *world, ours func(base store.Base) store.Info, base store.Base)
			// existing: there was something before the write.
			existing  bool
			want      store.Outcome
			otherwise store.Outcome // without versions
		}{
			{"nothing was, nothing is", func(*world, func(store.Base) store.Info, store.Base) {}, false, store.Unchanged, store.Unchanged},
			{"nothing was, ours is", func(w *world, ours func(store.Base) store.Info, b store.Base) { ours(b) }, false, store.Landed, store.Landed},
			{"nothing was, theirs is", func(w *world, _ func(store.Base) store.Info, _ store.Base) { w.foreign() }, false, store.Changed, store.Changed},
			{"ours was deleted", func(w *world, ours func(store.Base) store.Info, b store.Base) { ours(b); w.b.DeleteForeign(key) }, false, store.Landed, store.Unchanged},
			{"the base is", func(*world, func(store.Base) store.Info, store.Base) {}, true, store.Unchanged, store.Unchanged},
			{"ours is", func(w *world, ours func(store.Base) store.Info, b store.Base) { ours(b) }, true, store.Landed, store.Landed},
			{"ours was replaced", func(w *world, ours func(store.Base) store.Info, b store.Base) { ours(b); w.foreign() }, true, store.Landed, store.Changed},
			{"theirs is", func(w *world, _ func(store.Base) store.Info, _ store.Base) { w.foreign() }, true, store.Changed, store.Changed},
			{"the base was put back", func(w *world, _ func(store.Base) store.Info, _ store.Base) { w.b.PutForeign(key, "base") }, true, store.Changed, store.Changed},
			{"the base was deleted", func(w *world, _ func(store.Base) store.Info, _ store.Base) { w.b.DeleteForeign(key) }, true, store.Changed, store.Changed},
			{"versioning was switched on", func(w *world, _ func(store.Base) store.Info, _ store.Base) { w.b.EnableVersioning(w.Context()) }, true, store.Unchanged, store.Unchanged},
			{"versioning was switched on, and ours replaced", func(w *world, ours func(store.Base) store.Info, b store.Base) {
				w.b.EnableVersioning(w.Context())
				ours(b)
				w.foreign()
			}, true, store.Landed, store.Landed},
			{"versioning was suspended, and theirs is", func(w *world, ours func(store.Base) store.Info, b store.Base) { w.b.Suspend(); w.foreign() }, true, store.Changed, store.Changed},
		} {
			t.Run(fmt.Sprintf("versioned=%v/%s", versioned, c.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, versioned)
					var base store.Base
					if c.existing {
						base = w.b.PutForeign(key, "base").Base()
					}
					time.Sleep(time.Minute)
					for range 5 {
						w.b.PutForeign(key+"/below", "x") // a longer key is no version of it
					}
					var made store.Info
					c.do(w, func(base store.Base) store.Info {
						var err error
						if made, err = w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Base: base}, store.Body{}); err != nil {
							t.Fatal(err)
						}
						return made
					}, base)
					began := time.Now()
					got, err := w.c.Settle(t.Context(), key, id, base, false)
					want := c.want
					if !versioned {
						want = c.otherwise
					}
					if err != nil || got.Outcome != want || got.Outcome == store.Landed && !got.Current.Base().Same(made.Base()) {
						t.Errorf("%v (%v), %v; want %v", got.Outcome, got.Current, err, want)
					}
					if n := w.c.Requests()["Head"]; time.Since(began) > 0 || n > 3 {
						t.Errorf("took %v and %d HEADs", time.Since(began), n)
					}
				})
			})
		}
	}
}

// At most 100 newer versions are asked; beyond that it is a conflict, which says so.
func TestSettleLongHistory(t *testing.T) {
	for _, n := range []int{99, 100, 101} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, true)
			base := w.b.PutForeign(key, "base").Base()
			if _, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Base: base}, store.Body{}); err != nil {
				t.Fatal(err)
			}
			for range n - 1 {
				w.foreign()
			}
			got, err := w.c.Settle(t.Context(), key, id, base, false)
			want := store.Landed
			if n > 100 {
				want = store.Changed
			}
			if err != nil || got.Outcome != want {
				t.Errorf("%d newer versions: %v, %v", n, got.Outcome, err)
			}
			// A write whose base was nothing: only the newest are asked.
			if got, err := w.c.Settle(t.Context(), key, "other", store.Base{}, false); err != nil || got.Outcome != store.Changed {
				t.Errorf("%d versions, none before: %v, %v", n, got.Outcome, err)
			}
			if n := w.c.Requests()["Head"]; n > 2+100+100 {
				t.Errorf("%d HEADs", n)
			}
		})
	}
}

// A name with a long past can be taken again, also if an answer is lost.
func TestCreateAfterLongHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		for range 150 {
			w.foreign()
		}
		w.b.DeleteForeign(key)
		w.f.On("Put").Nth(1).Fail(store.Unknown, errReset)
		if _, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id}, store.Body{}); err != nil {
			t.Error(err)
		}
	})
}

// After a lost attempt no version is overlooked: the resend lands, a middle box repeats it,
// and somebody replaces it before anybody looks.
func TestResendSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		base := w.b.PutForeign(key, "base").Base()
		w.f.On("Put").Nth(1).Fail(store.Unknown, errReset)
		w.f.On("Put").Nth(2).Resend()
		w.on("Head", 3, w.foreign)
		if _, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Base: base}, store.Body{}); err != nil {
			t.Error(err)
		}
		if w.content(key) != theirs {
			t.Error("the test has changed nothing in between")
		}
	})
}

// A copy whose source is not there any more, or is another version, makes nothing.
func TestCopySourceChanged(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"gone":    func(w *world) { w.b.DeleteForeign("source") },
		"changed": func(w *world) { w.b.PutForeign("source", "other") },
	} {
		for _, existing := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, false)
				src := w.b.PutForeign("source", "text")
				var base store.Base
				if existing {
					base = w.b.PutForeign(key, "base").Base()
				}
				change(w)
				before := w.content(key)
				_, err := w.c.Copy(t.Context(), valid(), store.Write{Key: key, ID: id, Base: base}, store.Source{Key: "source", Base: src.Base(), Size: src.Size})
				if !errors.Is(err, store.ErrConflict) || w.content(key) != before {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
}

// What cannot be seen is not guessed.
func TestSettleFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		base := w.b.PutForeign(key, "base").Base()
		w.foreign()
		w.f.On("ListVersions").Fail(store.Refused, store.ErrAccessDenied)
		if got, err := w.c.Settle(t.Context(), key, id, base, false); err != nil || got.Outcome != store.Changed {
			t.Errorf("history denied: %v, %v", got.Outcome, err)
		}
		w.f.Heal()
		w.f.On("ListVersions").Fail(store.Refused, store.ErrNoCredentials)
		if got, err := w.c.Settle(t.Context(), key, id, base, false); !errors.Is(err, store.ErrNoCredentials) {
			t.Errorf("credentials expired: %v, %v", got.Outcome, err)
		}
		w.f.On("Head").Fail(store.Unsent, errReset)
		began := time.Now()
		if _, err := w.c.Settle(t.Context(), key, id, base, false); !errors.Is(err, store.ErrUnavailable) || time.Since(began) < 30*time.Second {
			t.Errorf("not reachable for %v: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.c.Settle(ctx, key, id, base, false); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}
