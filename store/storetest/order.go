package storetest

import (
	"time"

	"github.com/latchfs/latchfs/store"
)

// S3 orders the versions of a key by when they were begun, and a multipart upload is begun
// by CreateMultipartUpload.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html

// testUploadOrder: a condition is about what is current when the upload is completed, and a
// change of metadata alone leaves its ETag. The upload was begun before that change and
// comes to lie below it.
func testUploadOrder(e *env) {
	if !e.versioned {
		return // what is there is the last that was completed
	}
	ctx, key := e.Context(), e.key("k")
	base := e.put(key, "base", absent)
	first := e.upload(store.CreateUploadRequest{Key: key}, "first")
	began := time.Now()
	second := e.upload(store.CreateUploadRequest{Key: key}, "second")
	touched, err := e.Copy(ctx, store.CopyRequest{Key: key, Cond: over(base), Source: key, Version: base.VersionID,
		Props: store.Props{Meta: map[string]string{"touched": "yes"}}})
	e.must(err)
	if touched.ETag != base.ETag {
		e.Fatalf("the copy has the ETag %s, its source %s", touched.ETag, base.ETag)
	}
	late, err := second.complete(over(base))
	e.must(err)
	early, err := first.complete(over(base))
	e.must(err)
	e.identity(touched, key)
	e.holds(key, "base")

	history := e.history(key)
	var ids []string
	for i, v := range history {
		ids = append(ids, v.Info.VersionID)
		if v.Latest != (i == 0) {
			e.Errorf("version %d is latest: %v", i, v.Latest)
		}
	}
	e.same("versions", ids, []string{touched.VersionID, late.VersionID, early.VersionID, base.VersionID})
	for _, v := range []store.Info{early, late} {
		head, err := e.Head(ctx, store.HeadRequest{Key: key, Version: v.VersionID})
		e.must(err)
		if head.VersionID != v.VersionID || head.ETag != v.ETag || head.LastModified.Sub(began).Abs() > 10*time.Minute {
			e.Errorf("version %s: %+v", v.VersionID, head)
		}
	}
	// Where a page ends between them, the next one goes on.
	rest, err := e.ListVersions(ctx, store.VersionOptions{Prefix: key, KeyMarker: key, VersionMarker: late.VersionID})
	e.must(err)
	e.same("versions below "+late.VersionID, e.lines(rest.Versions), e.lines(history[2:]))

	// The next version lies above all of them.
	e.identity(e.put(key, "next", over(touched)), key)
	e.versions(key, 5)
}

// testUploadUnderMarker: an upload of a name that came and went meanwhile lies below the
// delete marker, so that nothing is there though it was completed.
func testUploadUnderMarker(e *env) {
	ctx, key := e.Context(), e.key("k")
	u := e.upload(store.CreateUploadRequest{Key: key}, "slow")
	e.put(key, "quick", absent)
	e.must(e.Delete(ctx, store.DeleteRequest{Key: key}))
	made, err := u.complete(absent)
	e.must(err)
	if !e.versioned {
		e.holds(key, "slow")
		return
	}
	e.empty(key)
	history := e.history(key)
	if len(history) != 3 || !history[0].Deleted || history[2].Info.VersionID != made.VersionID {
		e.Errorf("history %+v, made %s", history, made.VersionID)
	}
	if _, got, err := e.get(store.GetRequest{Key: key, Version: made.VersionID}); err != nil || got != "slow" {
		e.Errorf("the version that was made: %q, %v", got, err)
	}
}
