package storetest

import "github.com/latchfs/latchfs/store"

func testDelete(e *env) {
	ctx, key := e.Context(), e.key("k")
	e.refused(e.Delete(ctx, store.DeleteRequest{Key: key, IfMatch: stale.IfMatch}), store.ErrNotFound)
	e.must(e.Delete(ctx, store.DeleteRequest{Key: e.key("missing")})) // 204, as S3 has it
	made := e.put(key, "a", absent)
	e.refused(e.Delete(ctx, store.DeleteRequest{Key: key, IfMatch: stale.IfMatch}), store.ErrPrecondition)
	e.holds(key, "a")
	e.versions(key, 1)
	e.must(e.Delete(ctx, store.DeleteRequest{Key: key, IfMatch: made.ETag}))
	e.empty(key)
	e.refused(e.Delete(ctx, store.DeleteRequest{Key: key, IfMatch: made.ETag}), store.ErrNotFound)
	if _, err := e.Get(ctx, store.GetRequest{Key: key}); err == nil {
		e.Error("a deleted object can be read")
	} else {
		e.refused(err, store.ErrNotFound)
	}
	e.put(key, "b", absent)
	e.holds(key, "b")
}

func testDeleteMarker(e *env) {
	ctx, key := e.Context(), e.key("k")
	made := e.put(key, "a", absent)
	e.must(e.Delete(ctx, store.DeleteRequest{Key: key, IfMatch: made.ETag}))
	h := e.history(key)
	if !e.versioned {
		if len(h) != 0 {
			e.Errorf("history %+v", h)
		}
		return
	}
	if len(h) != 2 || !h[0].Deleted || !h[0].Latest || h[0].Info.VersionID == "" || h[0].Info.ETag != "" || h[0].Info.LastModified.IsZero() {
		e.Fatalf("history %+v", h)
	}
	if v := h[1]; v.Deleted || v.Latest || v.Info.VersionID != made.VersionID || v.Info.ETag != made.ETag || v.Info.Size != 1 {
		e.Errorf("history %+v", h)
	}
	_, err := e.Head(ctx, store.HeadRequest{Key: key, Version: h[0].Info.VersionID})
	e.refused(err, store.ErrNotFound)
	_, err = e.Get(ctx, store.GetRequest{Key: key, Version: h[0].Info.VersionID})
	e.refused(err, store.ErrNotFound)
	if _, got, err := e.get(store.GetRequest{Key: key, Version: made.VersionID}); err != nil || got != "a" {
		e.Errorf("the version below the marker holds %q, %v", got, err)
	}
	page, err := e.List(ctx, store.ListOptions{Prefix: e.prefix})
	e.must(err)
	if len(page.Objects) != 0 {
		e.Errorf("a deleted object is listed: %+v", page.Objects)
	}
}

// testDeleteVersion: a version, or a delete marker, goes for good, and what is below it is current.
func testDeleteVersion(e *env) {
	ctx, key := e.Context(), e.key("k")
	if !e.versioned {
		e.put(key, "a", absent)
		e.must(e.DeleteVersion(ctx, key, "null"))
		e.empty(key)
		return
	}
	first := e.put(key, "a", absent)
	second := e.put(key, "b", over(first))
	e.must(e.Delete(ctx, store.DeleteRequest{Key: key, IfMatch: second.ETag}))
	for _, want := range []string{"b", "a"} {
		e.must(e.DeleteVersion(ctx, key, e.history(key)[0].Info.VersionID))
		e.holds(key, want)
	}
	e.must(e.DeleteVersion(ctx, key, second.VersionID)) // is gone
	e.versions(key, 1)
	e.must(e.DeleteVersion(ctx, key, first.VersionID))
	e.versions(key, 0)
}
