package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// A server that answers every change with the same conflict, though nobody else is there: no
// operation asks it again without a pause. With 409 each try is a new one until ctx ends;
// 412 is an answer.
func TestConflictsWithoutEnd(t *testing.T) {
	busy := store.AttemptError{Fate: store.Refused, Code: "ConditionalRequestConflict", Err: store.ErrBusy}
	failed := store.AttemptError{Fate: store.Refused, Code: "PreconditionFailed", Err: store.ErrPrecondition}
	removed := store.AttemptError{Fate: store.Refused, Code: "NoSuchUpload", Err: store.ErrNotFound}
	for _, c := range []struct {
		name   string
		answer store.AttemptError
		err    error
		only   string // the request that is answered so; "" for each operation's own
	}{
		{"409", busy, store.ErrUnavailable, ""},
		{"412", failed, store.ErrConflict, ""},
		{"no such upload", removed, store.ErrUnavailable, "CompleteUpload"},
		{"no such upload of a part", removed, store.ErrUnavailable, "UploadPart"},
	} {
		for _, o := range ops() {
			for _, existing := range []bool{true, false} {
				if o.request == "Delete" && !existing || c.only != "" && o.request != "CompleteUpload" {
					continue // there is nothing to delete, and no upload
				}
				t.Run(fmt.Sprintf("%s/%s/existing=%v", c.name, o.name, existing), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newFlawed(t, true, o.flaws)
						var base store.Base
						if existing {
							base = w.b.PutForeign(key, "base").Base()
						}
						request := o.request
						if c.only != "" {
							request = c.only
						}
						if request == "UploadPart" && o.name == "copy by a part" {
							request = "CopyPart"
						}
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						defer cancel()
						// Pauses that double to 5 s, of which half is chance.
						const most = 60/2.5 + 6
						w.f.Hook(func(op, _ string, n int) faultstore.Fault {
							if op != request {
								return faultstore.Fault{}
							}
							if n > 3*most {
								cancel() // it would never end
							}
							return faultstore.Fault{Err: &c.answer}
						})
						began := time.Now()
						err := o.run(ctx, w, valid(), base, nil)
						took := time.Since(began)
						if !errors.Is(err, c.err) {
							t.Errorf("error %v, want %v", err, c.err)
						}
						if again := c.err == store.ErrUnavailable; again != (took == time.Minute) || !again && took > 0 {
							t.Errorf("took %v", took)
						}
						for op, n := range w.c.Requests() {
							if n > most && op != "UploadPart" && op != "Get" || n > 2*most { // two parts
								t.Errorf("%d times %s", n, op)
							}
						}
					})
				})
			}
		}
	}
}
