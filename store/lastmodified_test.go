package store_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// Without versions, LastModified tells our own write from the same bytes that somebody else put
// back. It is the server's, also if the server cannot be reached for minutes after the write: else
// the next commit would find a conflict that is none.
func TestLastModifiedAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		up := time.Now().Add(2 * time.Minute)
		w.f.Hook(func(op, _ string, _ int) faultstore.Fault {
			if op == "Head" && time.Now().Before(up) {
				return faultstore.Fault{Hang: true}
			}
			return faultstore.Fault{}
		})
		made, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id}, store.Body{})
		if err != nil {
			t.Fatal(err)
		}
		now, err := w.c.Head(t.Context(), key, "")
		if err != nil || !made.Base().Same(now.Base()) {
			t.Errorf("the write is %v, the bucket has %v, %v", made.LastModified, now.LastModified, err)
		}

		// Who gives up is told that the write has landed.
		up = time.Now().Add(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := w.c.Put(ctx, valid(), store.Write{Key: key, ID: "other", Base: made.Base()}, store.Body{}); err != nil {
			t.Error(err)
		}
	})
}
