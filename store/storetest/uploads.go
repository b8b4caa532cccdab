package storetest

import (
	"slices"
	"time"

	"github.com/latchfs/latchfs/store"
)

// testListUploads: those that are open are listed by key, in one page and in many, and no longer
// once they are aborted.
func testListUploads(e *env) {
	var want []string
	for _, key := range []string{"a b+c%", "m", "m", "z"} {
		want = append(want, e.prefix+key+" "+e.upload(store.CreateUploadRequest{Key: e.prefix + key}, "x").id)
	}
	elsewhere := e.upload(store.CreateUploadRequest{Key: "elsewhere"}, "x")
	defer func() { e.must(e.AbortUpload(e.Context(), elsewhere.key, elsewhere.id)) }()
	for size := range 6 { // 0: as many as the server likes
		var got []string
		o := store.UploadOptions{Prefix: e.prefix, Max: size}
		for range 10 {
			page, err := e.ListUploads(e.Context(), o)
			e.must(err)
			for _, u := range page.Uploads {
				got = append(got, u.Key+" "+u.ID)
				if age := time.Since(u.Begun).Abs(); age > time.Hour || !u.AsOurs {
					e.Errorf("upload %+v", u)
				}
			}
			if o.KeyMarker, o.UploadMarker = page.NextKey, page.NextUpload; o.KeyMarker == "" {
				break
			}
		}
		// Uploads of one key that were begun in the same second come in any order.
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			e.Errorf("pages of %d: %q, want %q", size, got, want)
		}
	}
	page, err := e.ListUploads(e.Context(), store.UploadOptions{Prefix: e.prefix})
	e.must(err)
	for _, u := range page.Uploads {
		e.must(e.AbortUpload(e.Context(), u.Key, u.ID))
	}
	if page, err := e.ListUploads(e.Context(), store.UploadOptions{Prefix: e.prefix}); err != nil || len(page.Uploads) > 0 {
		e.Errorf("after they were aborted: %+v, %v", page, err)
	}
}
