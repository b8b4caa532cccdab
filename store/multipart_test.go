package store_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// pattern is content that is not kept in memory.
type pattern struct {
	size    int64
	reading atomic.Int64
}

func (p *pattern) ReadAt(b []byte, off int64) (int, error) {
	p.reading.Add(1)
	defer p.reading.Add(-1)
	n := int(min(int64(len(b)), p.size-off))
	for i := range b[:n] {
		b[i] = byte((off + int64(i)) >> 10)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func text(p *pattern) string {
	b := make([]byte, p.size)
	p.ReadAt(b, 0)
	return string(b)
}

// Parts may fail in every way that has no end; the object is what was to be written, and
// Progress has heard of every byte once.
func TestMultipart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.f.On("CreateUpload").Nth(1).LoseReply()
		w.f.On("UploadPart").Nth(1).Fail(store.Unsent, errSlow)
		w.f.On("UploadPart").Nth(2).LoseReply()
		w.f.On("UploadPart").Nth(3).Fail(store.Unknown, errReset)
		w.f.On("UploadPart").Nth(4).Hang()
		body := &pattern{size: 5*store.PartSize + 3}
		var progress atomic.Int64
		info, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Progress: func(n int64) { progress.Add(n) },
			Unanswered: func(err error) { t.Errorf("unanswered: %v", err) }}, store.Body{ReaderAt: body, Size: body.size})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.content(key); got != text(body) {
			t.Errorf("the object has %d bytes that are others", len(got))
		}
		if progress.Load() != body.size || info.Size != body.size {
			t.Errorf("progress %d and size %d of %d bytes", progress.Load(), info.Size, body.size)
		}
		if n := w.c.Requests()["UploadPart"]; n != 6+4 {
			t.Errorf("%d attempts for 6 parts of which 4 fail once", n)
		}
	})
}

// An upload that cannot be finished is aborted, and nothing is under the key.
func TestMultipartAborted(t *testing.T) {
	broken := errors.New("the disk is broken")
	for name, c := range map[string]struct {
		set  func(w *world, p *permit)
		body io.ReaderAt
		size int64
		want error
	}{
		"part refused":          {set: func(w *world, _ *permit) { w.f.On("UploadPart").Nth(2).Fail(store.Refused, store.ErrAccessDenied) }, want: store.ErrAccessDenied},
		"body fails":            {body: failing{broken}, want: broken},
		"body short":            {body: strings.NewReader("short"), want: io.ErrUnexpectedEOF},
		"permit ends":           {set: func(w *world, p *permit) { w.on("UploadPart", 2, func() { p.gone.Store(true) }) }, want: store.ErrNotPermitted},
		"permit ends in a part": {set: func(w *world, p *permit) { p.passes.Store(3) }, want: store.ErrNotPermitted},
		"ctx ends":              {set: func(w *world, _ *permit) { w.f.On("UploadPart").Hang() }, want: store.ErrUnavailable},
		"conflict":              {set: func(w *world, _ *permit) { w.foreign() }, want: store.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, p := newWorld(t, true), valid()
				if c.set != nil {
					c.set(w, p)
				}
				if c.size = 2*store.PartSize + 1; c.body == nil {
					c.body = &pattern{size: c.size}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := w.c.Put(ctx, p, store.Write{Key: key, ID: id}, store.Body{ReaderAt: c.body, Size: c.size})
				if !errors.Is(err, c.want) {
					t.Errorf("error %v, want %v", err, c.want)
				}
				if n := w.b.OpenUploads(); n != 0 {
					t.Errorf("%d uploads are left", n)
				}
				if got := w.content(key); got != "-" && got != theirs {
					t.Errorf("an object of %d bytes", len(got))
				}
			})
		})
	}
}

type failing struct{ err error }

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off >= store.PartSize {
		return 0, f.err
	}
	return len(p), nil
}

// An upload that somebody removed (a lifecycle rule) is made anew.
func TestUploadRemoved(t *testing.T) {
	for _, request := range []string{"UploadPart", "CompleteUpload"} {
		t.Run(request, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, true)
				w.f.On(request).Nth(1).Do(faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Code: "NoSuchUpload", Err: store.ErrNotFound}})
				base := w.b.PutForeign(key, "base").Base()
				body := &pattern{size: store.PartSize + 1}
				if _, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Base: base}, store.Body{ReaderAt: body, Size: body.size}); err != nil {
					t.Fatal(err)
				}
				if n := w.c.Requests()["CreateUpload"]; n != 2 || w.content(key) != text(body) {
					t.Errorf("%d uploads, %d bytes", n, len(w.content(key)))
				}
			})
		})
	}
}

// A Complete that may still land and an Abort that is not acknowledged: nothing is said
// before the quiet time is over.
func TestCompleteMayStillLand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.f.On("CompleteUpload").Nth(1).Late(quiet - time.Second)
		w.f.On("CompleteUpload").Nth(2).Fail(store.Refused, store.ErrPrecondition)
		w.f.On("AbortUpload").Fail(store.Unsent, errSlow)
		body := &pattern{size: store.PartSize + 1}
		began := time.Now()
		_, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id}, store.Body{ReaderAt: body, Size: body.size})
		if took := time.Since(began); err != nil || took != quiet {
			t.Errorf("after %v: %v", took, err)
		}
		w.f.Wait()
	})
}

// Many writers at once are bounded by the Client's buffers.
func TestBuffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		sending, most := atomic.Int64{}, atomic.Int64{}
		w.f.Hook(func(op, _ string, _ int) faultstore.Fault {
			if op == "UploadPart" || op == "Put" {
				n := sending.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Second)
				sending.Add(-1)
			}
			return faultstore.Fault{}
		})
		done := make(chan error)
		for i := range 6 {
			body := &pattern{size: int64(i%3)*store.PartSize + store.PartSize/2}
			go func() {
				_, err := w.c.Put(t.Context(), valid(), store.Write{Key: key + string(rune('0'+i)), ID: store.NewWriteID()}, store.Body{ReaderAt: body, Size: body.size})
				done <- err
			}()
		}
		for range 6 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := most.Load(); n != 8 {
			t.Errorf("%d bodies on their way at once, want the 8 that have buffers", n)
		}
	})
}

// Large objects are copied by parts, with conditions on both sides.
func TestCopyByParts(t *testing.T) {
	content := strings.Repeat("0123456789abcde\n", 4<<20) + "!"
	put := func(t *testing.T, set func(w *world)) (*world, store.Info, error) {
		w := newWorld(t, true)
		src := w.b.PutForeign("source", content)
		base := w.b.PutForeign(key, "base").Base()
		set(w)
		info, err := w.c.Copy(t.Context(), valid(), store.Write{Key: key, ID: id, Base: base, Props: store.Props{ContentType: "text/x"}},
			store.Source{Key: "source", Base: src.Base(), Size: src.Size})
		return w, info, err
	}
	t.Run("copied", func(t *testing.T) {
		w, info, err := put(t, func(w *world) { w.f.On("CopyPart").Nth(1).LoseReply() })
		if err != nil || w.content(key) != content || info.Size != int64(len(content)) || info.Props.ContentType != "text/x" {
			t.Errorf("error %v, %d bytes, %v", err, info.Size, info.Props)
		}
	})
	t.Run("source deleted", func(t *testing.T) {
		w, _, err := put(t, func(w *world) { w.b.Destroy("source", w.b.History("source")[0].Info.VersionID) })
		if !errors.Is(err, store.ErrConflict) || w.content(key) != "base" || w.b.OpenUploads() != 0 {
			t.Errorf("error %v", err)
		}
	})
}
