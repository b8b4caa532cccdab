package storetest

import "github.com/latchfs/latchfs/store"

func testCopy(e *env) {
	ctx, from, key := e.Context(), e.key("source with + and %41 ü"), e.key("k")
	_, err := e.Copy(ctx, store.CopyRequest{Key: key, Cond: absent, Source: from})
	e.refused(err, store.ErrNotFound)
	one := e.put(from, "one", absent)
	made, err := e.Copy(ctx, store.CopyRequest{Key: key, Cond: absent, Source: from, Version: one.VersionID, IfMatch: one.ETag})
	e.must(err)
	e.identity(made, key)
	e.holds(key, "one")
	e.holds(from, "one")
	two := e.put(from, "two", over(one))
	_, err = e.Copy(ctx, store.CopyRequest{Key: key, Cond: over(made), Source: from, IfMatch: one.ETag})
	e.refused(err, store.ErrPrecondition)
	e.holds(key, "one")
	if e.versioned { // the old one, which is not current
		made, err = e.Copy(ctx, store.CopyRequest{Key: from, Cond: over(two), Source: from, Version: one.VersionID, IfMatch: one.ETag})
		e.must(err)
		e.identity(made, from)
		e.holds(from, "one")
		e.versions(from, 3)
		e.must(e.Delete(ctx, store.DeleteRequest{Key: from}))
		_, err = e.Copy(ctx, store.CopyRequest{Key: e.key("restored"), Cond: absent, Source: from})
		e.refused(err, store.ErrNotFound)
		_, err = e.Copy(ctx, store.CopyRequest{Key: e.key("restored"), Cond: absent, Source: from, Version: two.VersionID})
		e.must(err)
		e.holds(e.key("restored"), "two")
	}
}

func testCopyConditions(e *env) {
	ctx, from, key := e.Context(), e.key("source"), e.key("k")
	e.put(from, "new", absent)
	in := store.CopyRequest{Key: key, Source: from, Cond: stale}
	_, err := e.Copy(ctx, in)
	e.refused(err, store.ErrNotFound)
	e.empty(key)
	old := e.put(key, "old", absent)
	for _, in.Cond = range []store.Condition{absent, stale} {
		_, err = e.Copy(ctx, in)
		e.refused(err, store.ErrPrecondition)
	}
	e.holds(key, "old")
	e.versions(key, 1)
	in.Cond = over(old)
	made, err := e.Copy(ctx, in)
	e.must(err)
	e.identity(made, key)
	e.holds(key, "new")
	e.versions(key, 2)
	e.must(e.Delete(ctx, store.DeleteRequest{Key: key}))
	in.Cond = over(made)
	_, err = e.Copy(ctx, in)
	e.refused(err, store.ErrNotFound)
	in.Cond = absent
	_, err = e.Copy(ctx, in)
	e.must(err)
	e.holds(key, "new")
}

// testCopySelf: metadata is changed by a copy onto itself, which is a version of its own.
func testCopySelf(e *env) {
	ctx, key := e.Context(), e.key("k")
	in := putRequest(key, "content", absent)
	in.Props.Meta = map[string]string{"file-permissions": "0100644"}
	one, err := e.Put(ctx, in)
	e.must(err)
	change := store.CopyRequest{Key: key, Cond: over(one), Source: key, Version: one.VersionID, IfMatch: one.ETag}
	change.Props.Meta = map[string]string{"file-permissions": "0100600"}
	two, err := e.Copy(ctx, change)
	e.must(err)
	now := e.identity(two, key)
	if now.Props.Meta["file-permissions"] != "0100600" || two.ETag != one.ETag {
		e.Errorf("after the copy: %+v", now)
	}
	e.holds(key, "content")
	e.versions(key, 2)
	change.Cond = stale
	_, err = e.Copy(ctx, change)
	e.refused(err, store.ErrPrecondition)
	e.versions(key, 2)
}
