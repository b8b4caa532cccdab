package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// touch changes the metadata of the base alone, as somebody else: its ETag stays.
func (w *world) touch() store.Info {
	return w.b.PutForeignProps(key, "base", store.Props{Meta: map[string]string{"touched": "yes"}}, "")
}

// byParts is one way to make a version by parts.
type byParts struct {
	name string
	part string // the request that sends one
	run  func(ctx context.Context, w *world, base store.Base) (store.Info, error)
	// flaws of the server, which are the reason.
	flaws store.Flaws
}

var bigSource = strings.Repeat("0123456789abcde\n", 4<<20) + "!"

func allByParts() []byParts {
	copies := func(body string) func(ctx context.Context, w *world, base store.Base) (store.Info, error) {
		return func(ctx context.Context, w *world, base store.Base) (store.Info, error) {
			from := w.b.PutForeign("source", body)
			return w.c.Copy(ctx, valid(), store.Write{Key: key, ID: id, Base: base},
				store.Source{Key: "source", Base: from.Base(), Size: from.Size})
		}
	}
	return []byParts{
		{"put", "UploadPart", func(ctx context.Context, w *world, base store.Base) (store.Info, error) {
			r := strings.NewReader(large)
			return w.c.Put(ctx, valid(), store.Write{Key: key, ID: id, Base: base}, store.Body{ReaderAt: r, Size: r.Size()})
		}, 0},
		{"copy", "CopyPart", copies(bigSource), 0},
		{"small copy", "CopyPart", copies(source), noCopy},
		{"copy that is read", "UploadPart", copies(large), noCopy | noParts},
	}
}

// Somebody changes metadata alone while an upload is under way, so that its condition holds
// and his version stays on top: never is that success, whatever becomes of the answer.
func TestUploadOverlaid(t *testing.T) {
	for name, set := range map[string]func(w *world){
		"answered":              func(*world) {},
		"the answer is lost":    func(w *world) { w.f.On("CompleteUpload").Nth(1).LoseReply() },
		"the request is late":   func(w *world) { w.f.On("CompleteUpload").Nth(1).Late(5 * time.Second) },
		"the request is lost":   func(w *world) { w.f.On("CompleteUpload").Nth(1).Fail(store.Unknown, errReset) },
		"a box sends it twice":  func(w *world) { w.f.On("CompleteUpload").Nth(1).Resend() },
		"the look fails thrice": func(w *world) { w.fail("Head", 3) },
		"the permit ends": func(w *world) {
			w.f.On("CompleteUpload").Nth(1).Late(5 * time.Second)
			w.f.On("CompleteUpload").Nth(2).Fail(store.Unsent, store.ErrNotPermitted)
			w.f.On("AbortUpload").Fail(store.Unsent, errSlow) // so that it can land
		},
	} {
		for _, o := range allByParts() {
			t.Run(o.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newFlawed(t, true, o.flaws)
					base := w.b.PutForeign(key, "base").Base()
					var top store.Info
					w.on(o.part, 1, func() { top = w.touch() })
					set(w)
					_, err := o.run(t.Context(), w, base)
					w.f.Wait()
					if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), top.VersionID) {
						t.Errorf("error %v, want a conflict with %s", err, top.VersionID)
					}
					h := w.b.History(key)
					if n := len(h); n != 3 || !h[2].Latest || h[2].Info.VersionID != top.VersionID || h[1].Info.Props.Meta["latchfs-write-id"] != string(id) {
						t.Errorf("history %+v", h)
					}
					if n := w.b.OpenUploads(); n != 0 {
						t.Errorf("%d uploads are left", n)
					}
				})
			})
		}
	}
}

// fail lets the first n requests of an operation be refused.
func (w *world) fail(op string, n int) {
	for i := range n {
		w.f.On(op).Nth(i+1).Fail(store.Refused, store.ErrAccessDenied)
	}
}

// A name that came and went while an upload was under way: its condition holds, and nothing
// is there after it.
func TestUploadUnderMarker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.on("UploadPart", 1, func() {
			w.foreign()
			w.b.DeleteForeign(key)
		})
		_, err := allByParts()[0].run(t.Context(), w, store.Base{})
		if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "a delete marker lies over") {
			t.Errorf("error %v", err)
		}
	})
}

// To see that an upload is the current version takes one HEAD, which also tells LastModified:
// the time at which the upload began.
func TestUploadSeen(t *testing.T) {
	for _, versioned := range []bool{true, false} {
		for _, o := range allByParts() {
			synctest.Test(t, func(t *testing.T) {
				w := newFlawed(t, versioned, o.flaws)
				base := w.b.PutForeign(key, "base").Base()
				time.Sleep(time.Minute)
				began := time.Now().Truncate(time.Second)
				w.f.On("CompleteUpload").Delay(5 * time.Second)
				info, err := o.run(t.Context(), w, base)
				if err != nil {
					t.Fatal(err)
				}
				requests := w.c.Requests()
				if requests["Head"] != 1 || requests["ListVersions"] != 0 {
					t.Errorf("%s, versioned %v: %v", o.name, versioned, requests)
				}
				if h := w.b.History(key); !info.LastModified.Equal(began) || !info.Base().Same(h[len(h)-1].Info.Base()) && versioned {
					t.Errorf("%s, versioned %v: %+v, begun at %v", o.name, versioned, info, began)
				}
			})
		}
	}
}

// As long as nobody can see which version is current the outcome is unknown.
func TestUploadUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.f.On("Head").Fail(store.Refused, store.ErrAccessDenied)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := allByParts()[0].run(ctx, w, store.Base{})
		if !errors.Is(err, store.ErrUnknownOutcome) || time.Since(began) != time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if n := w.c.Requests()["Head"]; n > 30 {
			t.Errorf("%d HEADs in a minute", n)
		}
	})
}

// Who copies our version with its metadata has seen it: ours was current.
func TestUploadCopiedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.on("Head", 1, func() {
			h := w.b.History(key)
			props := h[len(h)-1].Info.Props
			props.StorageClass, props.TagCount = "STANDARD_IA", 0
			w.b.PutForeignProps(key, "theirs", props, "")
		})
		info, err := allByParts()[0].run(t.Context(), w, store.Base{})
		if h := w.b.History(key); err != nil || info.VersionID != h[0].Info.VersionID || info.ETag != h[0].Info.ETag {
			t.Errorf("%+v, %v", info, err)
		}
	})
}

// Without versions what is completed last is there, whatever has changed meanwhile but the
// ETag.
func TestUploadUnversioned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		base := w.b.PutForeign(key, "base").Base()
		w.on("UploadPart", 1, func() { w.touch() })
		if _, err := allByParts()[0].run(t.Context(), w, base); err != nil || w.content(key) != large {
			t.Errorf("error %v, %d bytes", err, len(w.content(key)))
		}
	})
}

// Whoever recovers a write of a dead process does not know either whether an upload was
// current before another version was; of a smaller write it is certain, but where small copies are
// uploads too.
func TestSettleOverlaid(t *testing.T) {
	for _, c := range []struct {
		size   int
		flaws  store.Flaws
		want   store.Outcome
		copied bool
	}{
		{store.PartSize, 0, store.Landed, false}, {store.PartSize + 1, 0, store.Changed, false}, {store.PartSize, 0, store.Landed, true},
		{store.PartSize, noCopy, store.Landed, false}, {store.PartSize, noCopy, store.Changed, true}, {0, noCopy, store.Landed, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newFlawed(t, true, c.flaws)
			base := w.b.PutForeign(key, "base").Base()
			body := strings.NewReader(large[:c.size])
			write := store.Write{Key: key, ID: id, Base: base}
			made, err := w.c.Put(t.Context(), valid(), write, store.Body{ReaderAt: body, Size: body.Size()})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := w.c.Settle(t.Context(), key, id, base, false); err != nil || got.Outcome != store.Landed || !got.Current.Base().Same(made.Base()) {
				t.Errorf("%d bytes that are current: %+v, %v", c.size, got, err)
			}
			w.touch()
			if got, err := w.c.Settle(t.Context(), key, id, base, c.copied); err != nil || got.Outcome != c.want {
				t.Errorf("%d bytes below another version: %+v, %v", c.size, got, err)
			}
		})
	}
}
