package gc

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Many things go some at a time, kind after kind, and when it is interrupted no more are begun; what was
// begun is told.
func TestManyRemovals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under atomic.Int32
		item := func(kind Kind) Item {
			return Item{Kind: kind, remove: func(context.Context) (bool, error) {
				if n := under.Add(1); n > atOnce {
					t.Errorf("%d at once", n)
				}
				time.Sleep(time.Second)
				under.Add(-1)
				return true, nil
			}}
		}
		var items []Item
		for _, kind := range []Kind{Lock, Session} {
			for range 10 * atOnce {
				items = append(items, item(kind))
			}
		}
		var got []Kind
		start := time.Now()
		if err := Remove(t.Context(), items, nil, func(r Result) { got = append(got, r.Kind) }); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("it took %s", took)
		}
		if !slices.IsSorted(got) || len(got) != len(items) {
			t.Errorf("removed %q", got)
		}

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2500*time.Millisecond, cancel)
		got = nil
		if err := Remove(ctx, items, nil, func(r Result) { got = append(got, r.Kind) }); !errors.Is(err, context.Canceled) || len(got) != 3*atOnce {
			t.Errorf("%d removed, %v", len(got), err)
		}
	})
}
