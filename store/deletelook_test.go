package store_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// On a server that ignores the condition of DELETE each attempt is made right after a look, under the
// permit, and carries the condition all the same.
func TestDeleteLooks(t *testing.T) {
	lose := func(n int) func(w *world, _ *permit) {
		return func(w *world, _ *permit) { w.f.On("Delete").Nth(n).Fail(store.Unknown, errReset) }
	}
	for _, c := range []struct {
		name    string
		set     func(w *world, p *permit)
		err     error
		deletes int64
		content string
	}{
		{"the base is there", func(*world, *permit) {}, nil, 1, "-"},
		{"somebody else's is there", func(w *world, _ *permit) { w.foreign() }, store.ErrConflict, 0, theirs},
		{"the same bytes were put back", func(w *world, _ *permit) { w.b.PutForeign(key, "base") }, store.ErrConflict, 0, "base"},
		{"nothing is there", func(w *world, _ *permit) { w.b.DeleteForeign(key) }, store.ErrNotFound, 0, "-"},
		{"a lost request, then somebody else's", func(w *world, p *permit) {
			lose(1)(w, p)
			w.on("Head", 4, w.foreign) // the look before the second attempt: first look, two after it was lost
		}, store.ErrConflict, 1, theirs},
		{"a lost request", lose(1), nil, 2, "-"},
		{"no permit", func(_ *world, p *permit) { p.gone.Store(true) }, store.ErrNotPermitted, 0, "base"},
		{"the permit ends after the look", func(_ *world, p *permit) { p.passes.Store(1) }, store.ErrNotPermitted, 0, "base"},
		{"the look is not answered for a while", func(w *world, _ *permit) {
			w.f.On("Head").Nth(1).Hang()
			w.f.On("Head").Nth(2).Fail(store.Unsent, errSlow)
		}, nil, 1, "-"},
		{"the look is refused", func(w *world, _ *permit) { w.f.On("Head").Fail(store.Refused, store.ErrAccessDenied) }, store.ErrAccessDenied, 0, "base"},
		// The window that remains: what is written between the look and the attempt.
		{"somebody writes in the window", func(w *world, _ *permit) { w.on("Delete", 1, w.foreign) }, nil, 1, "-"},
	} {
		for _, versioned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/versioned=%v", c.name, versioned), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, p := newFlawed(t, versioned, noDelete), valid()
					base := w.b.PutForeign(key, "base").Base()
					time.Sleep(time.Minute) // another LastModified
					c.set(w, p)
					err := w.c.Delete(t.Context(), p, store.Deletion{Key: key, Base: base})
					if !errors.Is(err, c.err) || err != nil && c.err == nil {
						t.Errorf("error %v, want %v", err, c.err)
					}
					if n := w.c.Requests()["Delete"]; n != c.deletes || w.content(key) != c.content {
						t.Errorf("%d attempts, %q is there", n, w.content(key))
					}
				})
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		base := w.b.PutForeign(key, "base").Base()
		if err := w.c.Delete(t.Context(), valid(), store.Deletion{Key: key, Base: base}); err != nil || w.c.Requests()["Head"] != 0 {
			t.Errorf("%v, and looks where the server does: %v", err, w.c.Requests())
		}
	})
}
