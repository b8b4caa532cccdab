package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A version or delete marker is removed by its id, under a permit, and sent again at once: whenever it
// lands, it hits nothing else. One that may have landed is not said to be untouched.
func TestRemoveVersion(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(w *world, p *permit)
		gone bool
		took time.Duration
		err  error
	}{
		{"answered", func(*world, *permit) {}, true, 0, nil},
		{"the answer is lost", func(w *world, _ *permit) { w.f.On("DeleteVersion").Nth(1).LoseReply() }, true, 0, nil},
		{"the server is silent", func(w *world, _ *permit) { w.f.On("DeleteVersion").Nth(1).Hang() }, true, stall, nil},
		{"not sent", func(w *world, _ *permit) { w.f.On("DeleteVersion").Nth(1).Fail(store.Unsent, errReset) }, true, 0, nil},
		{"locked", func(w *world, _ *permit) { w.f.On("DeleteVersion").Fail(store.Refused, store.ErrRetained) }, false, 0, store.ErrRetained},
		{"no permit", func(_ *world, p *permit) { p.passes.Store(0) }, false, 0, store.ErrNotPermitted},
		{"no permit after an attempt that was lost", func(w *world, p *permit) {
			w.f.On("DeleteVersion").LoseReply()
			p.passes.Store(1)
		}, true, 0, store.ErrUnknownOutcome},
		{"the server stays silent", func(w *world, _ *permit) { w.f.On("DeleteVersion").Hang() }, false, time.Minute, store.ErrUnknownOutcome},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, true)
				version := w.b.PutForeign(key, "old").VersionID
				w.b.PutForeign(key, "new")
				p := valid()
				c.set(w, p)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				err := w.c.RemoveVersion(ctx, p, key, version)
				took := time.Since(began)
				if !errors.Is(err, c.err) || err != nil && c.err == nil {
					t.Errorf("error %v, want %v", err, c.err)
				}
				if took < c.took || took > c.took+time.Second {
					t.Errorf("took %v, want %v", took, c.took)
				}
				if n := len(w.b.History(key)); (n == 1) != c.gone || w.content(key) != "new" {
					t.Errorf("%d versions are left, the current one is %q", n, w.content(key))
				}
				if err := w.c.RemoveVersion(ctx, valid(), key, "null"); !errors.Is(err, store.ErrRefused) {
					t.Errorf(`"null": %v`, err)
				}
				w.f.Heal()
			})
		})
	}
}
