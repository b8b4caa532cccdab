package store_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
)

// Below tells what was there before a version, in the order of the listing.
func TestBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		first := w.b.PutForeign(key, "base")
		touched := w.touch()
		w.b.DeleteForeign(key)
		last := w.b.PutForeign(key, "last")
		w.b.PutForeign(key+"/longer", "another key")
		marker := w.b.History(key)[2].Info
		for _, c := range []struct {
			of      string
			want    store.Info
			deleted bool
			err     error
		}{
			{of: last.VersionID, want: marker, deleted: true},
			{of: marker.VersionID, want: touched},
			{of: touched.VersionID, want: first},
			{of: first.VersionID},
			{of: "never was", err: store.ErrNotFound},
		} {
			w.f.On("ListVersions").Nth(1).Fail(store.Unsent, errSlow)
			got, err := w.c.Below(t.Context(), key, c.of)
			if !errors.Is(err, c.err) || err != nil && c.err == nil {
				t.Errorf("below %s: %v, want %v", c.of, err, c.err)
			}
			if got.Info.VersionID != c.want.VersionID || got.Info.ETag != c.want.ETag || got.Deleted != c.deleted || got.Latest {
				t.Errorf("below %s is %+v, want %+v", c.of, got, c.want)
			}
		}
		// That a longer key has versions says nothing.
		if got, err := w.c.Below(t.Context(), "dir", last.VersionID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("below a version of another key: %+v, %v", got, err)
		}
		w.f.On("ListVersions").Fail(store.Refused, store.ErrAccessDenied)
		if got, err := w.c.Below(t.Context(), key, last.VersionID); !errors.Is(err, store.ErrAccessDenied) {
			t.Errorf("denied: %+v, %v", got, err)
		}
	})
}

// What lies below may be on the next page, or what was asked for.
func TestBelowOnTheNextPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		for range 1002 {
			w.foreign()
		}
		h := w.b.History(key)
		for _, i := range []int{1, 2, 3} {
			if got, err := w.c.Below(t.Context(), key, h[i].Info.VersionID); err != nil || got.Info.VersionID != h[i-1].Info.VersionID {
				t.Errorf("below version %d: %+v, %v", i, got, err)
			}
		}
	})
}

// Without versions there is one object and nothing below it.
func TestBelowUnversioned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		made := w.b.PutForeign(key, "base")
		if got, err := w.c.Below(t.Context(), key, made.VersionID); err != nil || got.Info.VersionID != "" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
