package store_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
)

// A tool may write an object anew and keep metadata that it does not know, our write id among
// it. That version is not ours: its author's change would be lost if it became the base of the
// next write.
func TestOurIDOnTheirVersion(t *testing.T) {
	theirs := func(w *world) {
		h := w.b.History(key)
		props := h[len(h)-1].Info.Props
		props.TagCount = 0
		w.b.PutForeignProps(key, theirs, props, "")
	}
	for _, o := range slices.DeleteFunc(ops(), func(o op) bool { return o.write == nil }) {
		for name, set := range map[string]func(w *world){
			"the answer is lost": func(w *world) { w.f.On(o.request).Nth(1).LoseReply() },
			"a box resends it":   func(w *world) { w.f.On(o.request).Nth(1).Resend() },
		} {
			for times := range 3 {
				for _, existing := range []bool{true, false} {
					t.Run(fmt.Sprintf("%s/%s/%d/existing=%v", o.name, name, times, existing), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							w := newFlawed(t, true, o.flaws)
							var base store.Base
							if existing {
								base = w.b.PutForeign(key, "base").Base()
							}
							set(w)
							w.on("Head", 1, func() {
								for range times {
									theirs(w)
								}
							})
							info, err := o.write(t.Context(), w, base)
							h := w.b.History(key)
							if existing {
								h = h[1:]
							}
							if ours := h[0].Info; err != nil || info.VersionID != ours.VersionID || info.ETag != ours.ETag || info.Size != ours.Size {
								t.Errorf("%+v, %v; our version is %+v", info, err, ours)
							}
							got, err := w.c.Settle(t.Context(), key, id, base, false)
							if err != nil || got.Outcome != store.Landed || got.Current.VersionID != h[0].Info.VersionID {
								t.Errorf("settled: %+v, %v", got, err)
							}
						})
					})
				}
			}
		}
	}
}
