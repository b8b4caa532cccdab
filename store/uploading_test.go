package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// The caller hears of every upload before anything of it is in the bucket, also of one that
// takes the place of an upload that somebody has removed.
func TestUploading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.f.On("CreateUpload").Nth(1).Fail(store.Unsent, errSlow)
		w.f.On("UploadPart").Nth(1).Do(faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Code: "NoSuchUpload", Err: store.ErrNotFound}})
		body := &pattern{size: store.PartSize + 1}
		var told []string
		var uploads []int64 // attempts so far
		write := store.Write{Key: key, ID: id, Uploading: func(upload string) error {
			told, uploads = append(told, upload), append(uploads, w.c.Requests()["CreateUpload"])
			if sent := w.b.Count("UploadPart"); len(told) == 1 && sent > 0 {
				t.Errorf("%d parts are there already", sent)
			}
			return nil
		}}
		if _, err := w.c.Put(t.Context(), valid(), write, store.Body{ReaderAt: body, Size: body.size}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(uploads, []int64{2, 3}) || told[0] == told[1] || told[0] == "" {
			t.Errorf("told of %q after %v attempts to begin an upload", told, uploads)
		}
		// What is sent in one piece is no upload.
		write.Key, write.ID = "other", "w2"
		if _, err := w.c.Put(t.Context(), valid(), write, store.Body{ReaderAt: body, Size: 1}); err != nil || len(told) != 2 {
			t.Errorf("told of %q, %v", told, err)
		}
	})
}

// An upload that could not be noted is not made, nor one whose id would be lost.
func TestUploadingFails(t *testing.T) {
	// Whatever it wraps, it is no answer of the store.
	full := errors.Join(errors.New("no space left on device"), store.ErrNotFound)
	for _, o := range []string{"put", "copy"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, true)
			base := w.b.PutForeign(key, "base").Base()
			write := store.Write{Key: key, ID: id, Base: base, Uploading: func(string) error { return full }}
			var err error
			if o == "put" {
				body := &pattern{size: store.PartSize + 1}
				_, err = w.c.Put(t.Context(), valid(), write, store.Body{ReaderAt: body, Size: body.size})
			} else {
				from := w.b.PutForeign("source", bigSource)
				_, err = w.c.Copy(t.Context(), valid(), write, store.Source{Key: "source", Base: from.Base(), Size: from.Size})
			}
			if !errors.Is(err, full) || errors.Is(err, store.ErrConflict) {
				t.Errorf("%s: error %v", o, err)
			}
			if r := w.c.Requests(); r["UploadPart"]+r["CopyPart"]+r["CompleteUpload"] != 0 || w.b.OpenUploads() != 0 || w.content(key) != "base" {
				t.Errorf("%s: %v, %d uploads are left", o, r, w.b.OpenUploads())
			}
		})
	}
}

// An upload that a dead process left is aborted, however long that takes; one that is gone
// need not be.
func TestAbortUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		upload, err := w.b.CreateUpload(t.Context(), store.CreateUploadRequest{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			w.f.On("AbortUpload").Nth(n+1).Fail(store.Unknown, errReset)
		}
		w.f.On("AbortUpload").Nth(21).LoseReply()
		began := time.Now()
		if err := w.c.AbortUpload(t.Context(), key, upload); err != nil || w.b.OpenUploads() != 0 {
			t.Errorf("error %v, %d uploads are left", err, w.b.OpenUploads())
		}
		if n := w.b.Count("AbortUpload"); n != 2 || time.Since(began) < 30*time.Second {
			t.Errorf("%d requests arrived, after %v; a read gives up after 30 s", n, time.Since(began))
		}
		for _, gone := range []string{upload, "never was"} {
			if err := w.c.AbortUpload(t.Context(), key, gone); err != nil {
				t.Errorf("upload %s that is not there: %v", gone, err)
			}
		}
	})
}

func TestAbortUploadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.f.On("AbortUpload").Nth(1).Fail(store.Refused, store.ErrAccessDenied)
		w.f.On("AbortUpload").Fail(store.Unsent, errSlow)
		if err := w.c.AbortUpload(t.Context(), key, "u"); !errors.Is(err, store.ErrAccessDenied) {
			t.Errorf("denied: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := w.c.AbortUpload(ctx, key, "u"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("not reached for an hour: %v", err)
		}
		stop := errors.New("the mount ends")
		ctx2, end := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { end(stop) })
		if err := w.c.AbortUpload(ctx2, key, "u"); !errors.Is(err, stop) {
			t.Errorf("given up: %v", err)
		}
	})
}
