package memstore_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

func put(t *testing.T, b *memstore.Bucket, key, content string) store.Info {
	t.Helper()
	info, err := b.Put(t.Context(), store.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content))})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// LastModified has whole seconds; time and place of a multipart object are those of the
// beginning of its upload.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := memstore.New(memstore.Options{Versioned: true})
		time.Sleep(1700 * time.Millisecond)
		began := time.Now().Truncate(time.Second)
		id, err := b.CreateUpload(ctx, store.CreateUploadRequest{Key: "k"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.UploadPart(ctx, store.PartRequest{Key: "k", Upload: id, Number: 1, Body: strings.NewReader("late"), Size: 4})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		put(t, b, "k", "early")
		between := time.Now().Truncate(time.Second)
		time.Sleep(10 * time.Second)
		if _, err := b.CompleteUpload(ctx, store.CompleteRequest{Key: "k", Upload: id, Parts: []store.Part{p}, Size: 4}); err != nil {
			t.Fatal(err)
		}
		h := b.History("k")
		if len(h) != 2 || !h[0].Info.LastModified.Equal(began) || !h[1].Info.LastModified.Equal(between) || !h[1].Latest {
			t.Errorf("history %+v, want times %v and then %v", h, began, between)
		}
		if n := b.OpenUploads(); n != 0 {
			t.Errorf("%d uploads are open", n)
		}
	})
}

func TestKeys(t *testing.T) {
	b := memstore.New(memstore.Options{Versioned: true})
	for _, key := range []string{"b", "gone", "a/"} {
		b.PutForeign(key, key)
	}
	b.DeleteForeign("gone")
	if got := b.Keys(); !slices.Equal(got, []string{"a/", "b"}) {
		t.Errorf("keys %q", got)
	}
}

func TestNow(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 987654321, time.FixedZone("", 3600))
	b := memstore.New(memstore.Options{Now: func() time.Time { return at }})
	if got, want := b.PutForeign("k", "a").LastModified, time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC); got != want {
		t.Errorf("LastModified %v, want %v", got, want)
	}
}

// In a suspended bucket the version "null" is replaced wherever it stands, and a removal
// leaves a marker with that id.
func TestSuspended(t *testing.T) {
	ctx := t.Context()
	b := memstore.New(memstore.Options{})
	if made := put(t, b, "k", "before"); made.VersionID != "" {
		t.Errorf("version id %q before versioning", made.VersionID)
	}
	if err := b.EnableVersioning(ctx); err != nil {
		t.Fatal(err)
	}
	kept := put(t, b, "k", "kept")
	b.Suspend()
	if on, err := b.Versioning(ctx); on != store.VersioningSuspended || err != nil {
		t.Errorf("versioning of a suspended bucket: %v, %v", on, err)
	}
	if head, err := b.Head(ctx, store.HeadRequest{Key: "k"}); err != nil || head.VersionID != kept.VersionID {
		t.Errorf("current is %+v, %v", head, err)
	}
	ids := func(want ...string) {
		t.Helper()
		var got []string
		for _, v := range b.History("k") {
			got = append(got, v.Info.VersionID)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("versions %q, want %q", got, want)
		}
	}
	ids("null", kept.VersionID)
	if made := put(t, b, "k", "after"); made.VersionID != "null" {
		t.Errorf("version id %q in a suspended bucket", made.VersionID)
	}
	ids(kept.VersionID, "null")
	if err := b.Delete(ctx, store.DeleteRequest{Key: "k"}); err != nil {
		t.Fatal(err)
	}
	ids(kept.VersionID, "null")
	if h := b.History("k"); !h[1].Deleted || !h[1].Latest || h[0].Deleted {
		t.Errorf("history %+v", h)
	}
	if _, ok := b.Content("k"); ok {
		t.Error("the object is still there")
	}
	b.Destroy("k", "null")
	if got, ok := b.Content("k"); !ok || got != "kept" {
		t.Errorf("below the marker is %q, %v", got, ok)
	}
}

// What is archived can be looked at, but neither read nor copied.
func TestArchived(t *testing.T) {
	ctx := t.Context()
	b := memstore.New(memstore.Options{})
	for _, class := range []string{"GLACIER", "DEEP_ARCHIVE"} {
		b.PutForeignProps("k", "cold", store.Props{StorageClass: class}, "")
		if head, err := b.Head(ctx, store.HeadRequest{Key: "k"}); err != nil || head.Props.StorageClass != class || head.Size != 4 {
			t.Errorf("HEAD: %+v, %v", head, err)
		}
		_, get := b.Get(ctx, store.GetRequest{Key: "k"})
		_, cp := b.Copy(ctx, store.CopyRequest{Key: "to", Source: "k"})
		if !errors.Is(get, store.ErrArchived) || !errors.Is(cp, store.ErrArchived) {
			t.Errorf("GET: %v, copy: %v", get, cp)
		}
	}
	b.PutForeignProps("k", "warm", store.Props{StorageClass: "STANDARD"}, "")
	if head, err := b.Head(ctx, store.HeadRequest{Key: "k"}); err != nil || head.Props.StorageClass != "" {
		t.Errorf("HEAD: %+v, %v", head, err)
	}
}

// What a test does as somebody else is not counted, has no condition, and tells what HEAD
// tells.
func TestForeign(t *testing.T) {
	ctx := t.Context()
	b := memstore.New(memstore.Options{Versioned: true})
	props := store.Props{Meta: map[string]string{"Mixed": "case"}, Encryption: "aws:kms", KMSKeyID: "arn:x", BucketKey: true, ContentType: "text/plain"}
	b.PutForeign("k", "one")
	made := b.PutForeignProps("k", "two", props, "a=b")
	head, err := b.Head(ctx, store.HeadRequest{Key: "k"})
	if err != nil || !reflect.DeepEqual(made, head) {
		t.Errorf("made %+v, HEAD %+v, %v", made, head, err)
	}
	want := props
	want.Meta, want.TagCount = map[string]string{"mixed": "case"}, 1
	if !reflect.DeepEqual(head.Props, want) {
		t.Errorf("properties %+v, want %+v", head.Props, want)
	}
	head.Props.Meta["mixed"] = "changed by its reader"
	if again, err := b.Head(ctx, store.HeadRequest{Key: "k"}); err != nil || again.Props.Meta["mixed"] != "case" {
		t.Errorf("a reader changed the object to %+v, %v", again, err)
	}
	if h := b.History("k"); len(h) != 2 || !reflect.DeepEqual(h[1].Info, made) || !h[1].Latest || h[0].Latest {
		t.Errorf("history %+v", h)
	}
	b.DeleteForeign("k")
	if h := b.History("k"); len(h) != 3 || !h[2].Deleted {
		t.Errorf("history %+v", h)
	}
	if got := b.Requests(); !reflect.DeepEqual(got, map[string]int{"Head": 2}) || b.Count("Head") != 2 || b.Count("Put") != 0 {
		t.Errorf("requests %v", got)
	}
}

// A marker that is no version of its key would let versions be passed over.
func TestVersionMarker(t *testing.T) {
	b := memstore.New(memstore.Options{Versioned: true})
	b.PutForeign("a", "1")
	other := b.PutForeign("b", "1")
	for _, key := range []string{"", "a", "c"} {
		_, err := b.ListVersions(t.Context(), store.VersionOptions{KeyMarker: key, VersionMarker: other.VersionID})
		if !errors.Is(err, store.ErrRefused) {
			t.Errorf("marker %q with a version of b: %v", key, err)
		}
	}
}

// Tags and metadata that S3 refuses make no object.
func TestRefusedProps(t *testing.T) {
	for name, in := range map[string]store.PutRequest{
		"eleven tags": {Tags: "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=0&k=1"},
		"a tag twice": {Tags: "a=1&a=2"},
		"no tag set":  {Tags: "a=%zz"},
		"metadata":    {Props: store.Props{Meta: map[string]string{"n": strings.Repeat("v", 2<<10)}}},
	} {
		b := memstore.New(memstore.Options{})
		in.Key = "k"
		_, put := b.Put(t.Context(), in)
		_, cp := b.Copy(t.Context(), store.CopyRequest{Key: "k", Source: b.PutForeign("from", "x").Key, Props: in.Props, Tags: in.Tags})
		_, up := b.CreateUpload(t.Context(), store.CreateUploadRequest{Key: "k", Props: in.Props, Tags: in.Tags})
		for _, err := range []error{put, cp, up} {
			if failed, ok := errors.AsType[*store.AttemptError](err); !ok || failed.Fate != store.Refused || !errors.Is(err, store.ErrRefused) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(b.History("k")) != 0 {
			t.Errorf("%s: an object came into being", name)
		}
	}
}

// Suspended versioning does not lift what an upload makes above a version that was made since
// the upload began.
func TestSuspendedUpload(t *testing.T) {
	ctx := t.Context()
	b := memstore.New(memstore.Options{Versioned: true})
	id, err := b.CreateUpload(ctx, store.CreateUploadRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.UploadPart(ctx, store.PartRequest{Key: "k", Upload: id, Number: 1, Body: strings.NewReader("slow"), Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	kept := put(t, b, "k", "kept")
	b.Suspend()
	made, err := b.CompleteUpload(ctx, store.CompleteRequest{Key: "k", Upload: id, Parts: []store.Part{p}, Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	h := b.History("k")
	if len(h) != 2 || made.VersionID != "null" || h[0].Info.VersionID != "null" || h[1].Info.VersionID != kept.VersionID {
		t.Errorf("made %+v, history %+v", made, h)
	}
}

// Where Object Lock keeps each version, only delete markers can be removed.
func TestRetention(t *testing.T) {
	rule := store.Retention{Mode: "GOVERNANCE", Days: 1}
	b := memstore.New(memstore.Options{Versioned: true, Retention: rule})
	if got, err := b.DefaultRetention(t.Context()); got != rule || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	made := put(t, b, "k", "a")
	b.DeleteForeign("k")
	if err := b.DeleteVersion(t.Context(), "k", made.VersionID); !errors.Is(err, store.ErrRetained) {
		t.Errorf("error %v", err)
	}
	if err := b.DeleteVersion(t.Context(), "k", b.History("k")[1].Info.VersionID); err != nil || len(b.History("k")) != 1 {
		t.Errorf("the marker: %v, %+v", err, b.History("k"))
	}
}
