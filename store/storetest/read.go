package storetest

import (
	"context"
	"errors"
	"io"
	"reflect"
	"time"

	"github.com/latchfs/latchfs/store"
)

func testGet(e *env) {
	ctx, key := e.Context(), e.key("k")
	_, err := e.Get(ctx, store.GetRequest{Key: key})
	e.refused(err, store.ErrNotFound)
	_, err = e.Get(ctx, store.GetRequest{Key: key, IfMatch: stale.IfMatch})
	e.refused(err, store.ErrNotFound)
	e.empty(key)
	large := bulk(1<<20, 3)
	made := e.put(key, large, absent)
	info, got, err := e.get(store.GetRequest{Key: key, IfMatch: made.ETag})
	e.must(err)
	if got != large {
		e.Error("other bytes came back")
	}
	if head := e.head(key); !reflect.DeepEqual(info, head) {
		e.Errorf("GET tells %+v, HEAD %+v", info, head)
	}
	_, err = e.Get(ctx, store.GetRequest{Key: key, IfMatch: stale.IfMatch})
	e.refused(err, store.ErrPrecondition)

	// A body ends with its context, not always at once.
	ended, cancel := context.WithCancel(ctx)
	big := bulk(8<<20, 4)
	e.put(key, big, over(made))
	o, err := e.Get(ended, store.GetRequest{Key: key})
	e.must(err)
	defer o.Body.Close()
	if _, err := io.ReadFull(o.Body, make([]byte, 10)); err != nil {
		e.Error(err)
	}
	cancel()
	for err = nil; err == nil; time.Sleep(5 * time.Millisecond) {
		_, err = o.Body.Read(make([]byte, 32<<10))
	}
	if err == io.EOF {
		e.Fatal("a body was read to its end though its context had ended")
	}
	e.unsent(err)
	if !errors.Is(err, context.Canceled) {
		e.Errorf("the error %v does not tell that the context ended", err)
	}
}

func testRange(e *env) {
	key, none := e.key("k"), e.key("empty")
	made := e.put(key, "0123456789", absent)
	e.put(none, "", absent)
	for _, r := range []struct {
		off, length int64
		want        string
	}{
		{0, 1, "0"}, {0, 10, "0123456789"}, {0, -1, "0123456789"}, {3, 4, "3456"}, {9, 1, "9"}, {9, -1, "9"},
		{5, 5, "56789"}, {5, 6, "56789"}, {5, 100, "56789"}, {0, 1 << 40, "0123456789"},
	} {
		info, got, err := e.get(store.GetRequest{Key: key, IfMatch: made.ETag, Range: &store.Range{Offset: r.off, Length: r.length}})
		e.must(err)
		if got != r.want {
			e.Errorf("range %d+%d: %q, want %q", r.off, r.length, got, r.want)
		}
		if head := e.head(key); !reflect.DeepEqual(info, head) {
			e.Errorf("GET of a range tells %+v, HEAD %+v", info, head)
		}
	}
	for _, off := range []int64{10, 11, 1 << 40} {
		_, err := e.Get(e.Context(), store.GetRequest{Key: key, Range: &store.Range{Offset: off, Length: 1}})
		e.refused(err, store.ErrBadRange)
	}
	_, err := e.Get(e.Context(), store.GetRequest{Key: none, Range: &store.Range{Length: -1}})
	e.refused(err, store.ErrBadRange)
	_, err = e.Get(e.Context(), store.GetRequest{Key: key, IfMatch: stale.IfMatch, Range: &store.Range{Length: 1}})
	e.refused(err, store.ErrPrecondition)
}

// testOldVersions: a version stays readable, with its own properties, under its id.
func testOldVersions(e *env) {
	ctx, key := e.Context(), e.key("k")
	in := putRequest(key, "one", absent)
	in.Props.Meta = map[string]string{"n": "1"}
	in.Tags = "n=1"
	one, err := e.Put(ctx, in)
	e.must(err)
	other := e.put(e.key("other"), "o", absent)
	before := e.head(key)
	two := e.put(key, "twotwo", over(one))
	if !e.versioned {
		if _, got, err := e.get(store.GetRequest{Key: key, Version: "null"}); err != nil || got != "twotwo" {
			e.Errorf("the null version holds %q, %v", got, err)
		}
		return
	}
	check := func() {
		e.Helper()
		now, got, err := e.get(store.GetRequest{Key: key, Version: one.VersionID, Range: &store.Range{Offset: 1, Length: 9}})
		if err != nil || got != "ne" || !reflect.DeepEqual(now, before) {
			e.Errorf("the old version: %q, %+v, %v; it was %+v", got, now, err, before)
		}
		head, err := e.Head(ctx, store.HeadRequest{Key: key, Version: one.VersionID})
		if err != nil || !reflect.DeepEqual(head, before) {
			e.Errorf("HEAD of the old version: %+v, %v; it was %+v", head, err, before)
		}
		if tags, err := e.Tags(ctx, key, one.VersionID); err != nil || tags != "n=1" {
			e.Errorf("tags of the old version: %q, %v", tags, err)
		}
	}
	check()
	if tags, err := e.Tags(ctx, key, ""); err != nil || tags != "" {
		e.Errorf("tags of the new version: %q, %v", tags, err)
	}
	e.must(e.Delete(ctx, store.DeleteRequest{Key: key, IfMatch: two.ETag}))
	check()
	// The id of a version of another key.
	_, err = e.Head(ctx, store.HeadRequest{Key: key, Version: other.VersionID})
	e.refused(err, store.ErrNotFound)
	_, err = e.Get(ctx, store.GetRequest{Key: key, Version: other.VersionID})
	e.refused(err, store.ErrNotFound)
}
