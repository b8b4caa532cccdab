package storetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

// testBucket: a bucket comes into being, and its objects from before versioning stay.
func testBucket(e *env) {
	ctx := e.Context()
	e.refused(e.HeadBucket(ctx), store.ErrNoBucket)
	_, err := e.Get(ctx, store.GetRequest{Key: "old"})
	e.refused(err, store.ErrNoBucket)
	_, err = e.Put(ctx, putRequest("old", "a", absent))
	e.refused(err, store.ErrNoBucket)
	_, err = e.List(ctx, store.ListOptions{})
	e.refused(err, store.ErrNoBucket)

	e.must(e.CreateBucket(ctx))
	e.must(e.HeadBucket(ctx))
	if on, err := e.Versioning(ctx); on != store.VersioningOff || err != nil {
		e.Errorf("versioning of a new bucket: %v, %v", on, err)
	}
	if r, err := e.DefaultRetention(ctx); r != (store.Retention{}) || err != nil {
		e.Errorf("retention of a new bucket: %v, %v", r, err)
	}
	old := e.identity(e.put("old", "a", absent), "old")
	if err := e.CreateBucket(ctx); err != nil { // S3 answers so or so, by region
		e.refused(err, store.ErrRefused)
	}
	e.holds("old", "a")

	e.must(e.EnableVersioning(ctx))
	if on, err := e.Versioning(ctx); on != store.VersioningOn || err != nil {
		e.Errorf("versioning after it was enabled: %v, %v", on, err)
	}
	if now := e.head("old"); now.VersionID != "null" || now.ETag != old.ETag || !now.LastModified.Equal(old.LastModified) {
		e.Errorf("an object from before versioning: %+v", now)
	}
	e.versioned = true
	made := e.put("old", "b", over(old))
	if made.VersionID == "" || made.VersionID == "null" {
		e.Errorf("version id %q", made.VersionID)
	}
	if _, got, err := e.get(store.GetRequest{Key: "old", Version: "null"}); err != nil || got != "a" {
		e.Errorf("the null version holds %q, %v", got, err)
	}
	if h := e.history("old"); len(h) != 2 || h[0].Info.VersionID != made.VersionID || h[1].Info.VersionID != "null" {
		e.Errorf("history %+v", h)
	}
}

func testPut(e *env) {
	for name, content := range map[string]string{"small": "content", "empty": "", "large": bulk(300<<10, 1)} {
		e.Run(name, func(t *testing.T) {
			e := *e
			e.T = t
			key := e.key(name)
			got := e.identity(e.put(key, content, absent), key)
			if got.ETag != etag(content) || got.Size != int64(len(content)) {
				e.Errorf("ETag %q, size %d", got.ETag, got.Size)
			}
			if d := time.Since(got.LastModified); d < -10*time.Minute || d > 10*time.Minute {
				e.Errorf("LastModified %v", got.LastModified)
			}
			if got.LastModified.Nanosecond() != 0 {
				e.Errorf("LastModified %v has parts of a second", got.LastModified)
			}
			e.holds(key, content)
		})
	}
}

func testPutConditions(e *env) {
	ctx, key := e.Context(), e.key("k")
	_, err := e.Put(ctx, putRequest(key, "x", stale))
	e.refused(err, store.ErrNotFound)
	e.empty(key)
	first := e.put(key, "a", absent)
	for _, cond := range []store.Condition{absent, stale} {
		_, err := e.Put(ctx, putRequest(key, "x", cond))
		e.refused(err, store.ErrPrecondition)
	}
	e.holds(key, "a")
	e.versions(key, 1)
	second := e.identity(e.put(key, "b", over(first)), key)
	_, err = e.Put(ctx, putRequest(key, "x", over(first)))
	e.refused(err, store.ErrPrecondition)
	e.holds(key, "b")
	e.versions(key, 2)
	e.put(key, "c", store.Condition{})
	e.holds(key, "c")

	e.must(e.Delete(ctx, store.DeleteRequest{Key: key}))
	_, err = e.Put(ctx, putRequest(key, "x", over(second)))
	e.refused(err, store.ErrNotFound)
	e.empty(key)
	e.identity(e.put(key, "d", absent), key)
	e.versions(key, 5)
}

// testPutBody: what does not arrive as a whole is not written.
func testPutBody(e *env) {
	ctx, key := e.Context(), e.key("k")
	bad := errors.New("bad disk")
	large := bulk(200<<10, 2)
	for _, keep := range []int{0, 5, 100 << 10, len(large) - 1} {
		in := putRequest(key, large, absent)
		in.Body = failing{bytes.NewReader([]byte(large[:keep])), bad}
		_, err := e.Put(ctx, in)
		e.unsent(err)
		if !errors.Is(err, bad) {
			e.Errorf("the error %v does not tell why the body ended", err)
		}
		e.empty(key)
	}
	in := putRequest(key, large, absent)
	in.CRC32C = checksum("another")
	_, err := e.Put(ctx, in)
	e.unsent(err)
	e.empty(key)
	// A body that was read before is read again from its start.
	in = putRequest(key, large, absent)
	in.Body.Read(make([]byte, 10))
	_, err = e.Put(ctx, in)
	e.must(err)
	e.holds(key, large)
}

// testDeadline: an attempt whose time was over before it began did nothing.
func testDeadline(e *env) {
	ctx, cancel := context.WithCancel(e.Context())
	cancel()
	key := e.key("k")
	ended := func(err error) {
		e.Helper()
		e.unsent(err)
		if !errors.Is(err, context.Canceled) {
			e.Errorf("the error %v does not tell that the context ended", err)
		}
	}
	_, err := e.Put(ctx, putRequest(key, "a", absent))
	ended(err)
	e.empty(key)
	made := e.put(key, "a", absent)
	_, err = e.Copy(ctx, store.CopyRequest{Key: e.key("copy"), Cond: absent, Source: key})
	ended(err)
	e.empty(e.key("copy"))
	ended(e.Delete(ctx, store.DeleteRequest{Key: key, IfMatch: made.ETag}))
	_, err = e.Head(ctx, store.HeadRequest{Key: key})
	ended(err)
	_, err = e.List(ctx, store.ListOptions{})
	ended(err)
	e.holds(key, "a")
}
