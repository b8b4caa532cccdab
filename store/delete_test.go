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

// A Delete whose answer is lost tells at once that nothing is there, and returns when its
// request cannot land any more. It is told once, and only if it has to wait.
func TestDeleteGone(t *testing.T) {
	lose := func(n int) func(w *world) { return func(w *world) { w.f.On("Delete").Nth(n).LoseReply() } }
	for _, c := range []struct {
		name string
		set  func(w *world)
		gone time.Duration // when; -1: never
		took time.Duration
		err  error
	}{
		{"answered", func(*world) {}, -1, 0, nil},
		{"the answer is lost", lose(1), 0, quiet, nil},
		{"the server is silent", func(w *world) { w.f.On("Delete").Nth(1).Hang() }, -1, stall + quiet, nil},
		{"the request is lost, then an answer", func(w *world) {
			w.f.On("Delete").Nth(1).Fail(store.Unknown, errReset)
			lose(2)(w)
		}, quiet, 2 * quiet, nil},
		{"the request is late", func(w *world) { w.f.On("Delete").Nth(1).Late(quiet - 1) }, -1, quiet, nil},
		{"somebody else removes it, and the request is late", func(w *world) {
			w.f.On("Delete").Nth(1).Late(quiet - 1)
			w.on("Head", 1, func() { w.b.DeleteForeign(key) })
		}, 0, quiet, nil},
		{"the first look fails", func(w *world) {
			lose(1)(w)
			w.fail("Head", 1)
		}, -1, quiet, nil},
		{"refused", func(w *world) { w.f.On("Delete").Fail(store.Refused, store.ErrRetained) }, -1, 0, store.ErrRetained},
		{"somebody else's is there", func(w *world) {
			lose(1)(w)
			w.on("Head", 1, w.foreign)
		}, -1, quiet, store.ErrConflict},
	} {
		for _, versioned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/versioned=%v", c.name, versioned), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, versioned)
					base := w.b.PutForeign(key, "base").Base()
					c.set(w)
					began, gone := time.Now(), time.Duration(-1)
					err := w.c.Delete(t.Context(), valid(), store.Deletion{Key: key, Base: base, Gone: func() {
						if gone >= 0 {
							t.Error("told twice")
						}
						gone = time.Since(began)
						if got := w.content(key); got != "-" {
							t.Errorf("told that nothing is there; there is %q", got)
						}
					}})
					took := time.Since(began)
					if !errors.Is(err, c.err) || err != nil && c.err == nil {
						t.Errorf("error %v, want %v", err, c.err)
					}
					if took != c.took || gone != c.gone {
						t.Errorf("told after %v, want %v; took %v, want %v", gone, c.gone, took, c.took)
					}
					// Nothing is on its way any more.
					w.f.Wait()
					if time.Since(began) != took {
						t.Error("a request landed after Delete had returned")
					}
				})
			})
		}
	}
}

// Somebody brings the same bytes back while the request may still land. It takes them away
// again: had Delete returned, it would be a change that somebody with the lease has seen.
func TestDeleteLandsOnWhatCameBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		base := w.b.PutForeign(key, "base").Base()
		w.f.On("Delete").Nth(1).Late(quiet - 1)
		w.on("Head", 1, func() { w.b.DeleteForeign(key) })
		err := w.c.Delete(t.Context(), valid(), store.Deletion{Key: key, Base: base, Gone: func() { w.b.PutForeign(key, "base") }})
		if err != nil || w.content(key) != "-" {
			t.Errorf("error %v, %q is there", err, w.content(key))
		}
		if h := w.b.History(key); len(h) != 4 || !h[3].Deleted {
			t.Errorf("history %+v", h)
		}
	})
}

// Who ends it in the quiet time cannot know whether the request lands.
func TestDeleteEndsInTheQuietTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		base := w.b.PutForeign(key, "base").Base()
		w.f.On("Delete").Nth(1).LoseReply()
		ctx, cancel := context.WithTimeout(t.Context(), quiet/2)
		defer cancel()
		told := false
		err := w.c.Delete(ctx, valid(), store.Deletion{Key: key, Base: base, Gone: func() { told = true }})
		if !errors.Is(err, store.ErrUnknownOutcome) || !told {
			t.Errorf("error %v, told %v", err, told)
		}
	})
}
