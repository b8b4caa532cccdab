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
)

// copies makes a copy by reading.
func (w *world) copies(from store.Info, base store.Base) (store.Info, error) {
	return w.c.Copy(w.Context(), valid(), store.Write{Key: key, ID: id, Base: base}, store.Source{Key: from.Key, Base: from.Base(), Size: from.Size})
}

// A source without versions that is changed while it is read ends the copy, however late that is:
// what is made never is a mixture, nor another version than the one that was seen.
func TestCopySourceChanges(t *testing.T) {
	big := strings.Repeat("a", 2*store.PartSize+100)
	for _, c := range []struct {
		flaws store.Flaws
		reads int // at least so many are made
	}{{noCopy | noComplete, 4}, {noCopy | noParts, 3}} {
		for n := 1; n <= c.reads; n++ {
			for _, size := range []int{len(big), len(big) - 1} { // the same size, and another
				synctest.Test(t, func(t *testing.T) {
					w := newFlawed(t, false, c.flaws)
					from, base := w.b.PutForeign("source", big), w.b.PutForeign(key, "base").Base()
					w.on("Get", n, func() { w.b.PutForeign("source", strings.Repeat("b", size)) })
					if _, err := w.copies(from, base); !errors.Is(err, store.ErrConflict) || w.content(key) != "base" {
						t.Errorf("%s, changed at read %d: error %v, %d bytes are there", c.flaws, n, err, len(w.content(key)))
					}
					if w.b.OpenUploads() != 0 {
						t.Errorf("%s: an upload is left", c.flaws)
					}
				})
			}
		}
	}
}

// A source that is gone is a conflict, of a copy without bytes too; of a pinned version its removal for good.
func TestCopySourceGone(t *testing.T) {
	for _, body := range []string{"", source} {
		for _, versioned := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				w := newFlawed(t, versioned, noCopy|noComplete)
				from, base := w.b.PutForeign("source", body), w.b.PutForeign(key, "base").Base()
				w.b.DeleteForeign("source")
				if versioned {
					if _, err := w.copies(from, base); err != nil || w.content(key) != body {
						t.Errorf("below a marker: %v", err)
					}
					w.b.Destroy("source", from.VersionID)
					base = w.b.PutForeign(key, "base").Base()
				}
				if _, err := w.copies(from, base); !errors.Is(err, store.ErrConflict) || w.content(key) != "base" {
					t.Errorf("error %v, %q is there", err, w.content(key))
				}
			})
		}
	}
}

// liar answers a read with what is current, whatever version was asked for.
type liar struct{ store.API }

func (l liar) Get(ctx context.Context, in store.GetRequest) (*store.Object, error) {
	in.Version, in.IfMatch = "", ""
	return l.API.Get(ctx, in)
}

// What is read is held against what was seen, though the server should have done that.
func TestCopyReadsAnotherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFlawed(t, true, noCopy|noComplete)
		w.c = store.New(liar{w.b}, store.Options{})
		w.c.SetFlaws(noCopy | noComplete)
		from, base := w.b.PutForeign("source", source), w.b.PutForeign(key, "base").Base()
		w.b.PutForeign("source", source) // the same bytes
		if _, err := w.copies(from, base); !errors.Is(err, store.ErrConflict) || w.content(key) != "base" {
			t.Errorf("error %v, %q is there", err, w.content(key))
		}
	})
}

// cut breaks bodies of answers off after a while, the first times.
type cut struct {
	store.API
	times atomic.Int64
}

func (c *cut) Get(ctx context.Context, in store.GetRequest) (*store.Object, error) {
	o, err := c.API.Get(ctx, in)
	if err == nil && c.times.Add(-1) >= 0 {
		o.Body = broken{io.LimitReader(o.Body, 1<<20), o.Body}
	}
	return o, err
}

type broken struct {
	io.Reader
	io.Closer
}

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = &store.AttemptError{Op: "Get", Fate: store.Unsent, Err: errReset}
	}
	return n, err
}

// Answers that break off are asked for from where they ended; after 30 s without a byte the copy fails,
// and may be tried again.
func TestCopyReadsOn(t *testing.T) {
	big := string(make([]byte, store.PartSize)) + strings.Repeat("0123456789abcdef", store.PartSize/8)
	for _, flaws := range []store.Flaws{noCopy | noComplete, noCopy | noParts} {
		for _, times := range []int64{5, 1 << 40} {
			synctest.Test(t, func(t *testing.T) {
				w := newFlawed(t, true, flaws)
				c := &cut{API: w.b}
				w.c = store.New(newMonitor(t, c), store.Options{})
				w.c.SetFlaws(flaws)
				from, base := w.b.PutForeign("source", big), w.b.PutForeign(key, "base").Base()
				c.times.Store(times)
				if _, err := w.copies(from, base); err != nil || w.content(key) != big {
					t.Errorf("%s: %v, %d bytes", flaws, err, len(w.content(key)))
				}
			})
		}
		synctest.Test(t, func(t *testing.T) {
			w := newFlawed(t, true, flaws)
			from, base := w.b.PutForeign("source", big), w.b.PutForeign(key, "base").Base()
			w.f.On("Get").Fail(store.Unsent, errReset)
			began := time.Now()
			_, err := w.copies(from, base)
			if took := time.Since(began); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrConflict) || took < 30*time.Second || took > time.Minute {
				t.Errorf("%s: after %v: %v", flaws, took, err)
			}
		})
	}
}

// Of a body in one piece progress is told as it moves, each byte once, also if it is sent again.
func TestProgressOfOnePiece(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFlawed(t, true, noComplete)
		v := &void{API: w.b}
		v.whole = func(context.Context, store.PutRequest) error {
			if v.puts > 1 {
				return nil
			}
			return &store.AttemptError{Op: "Put", Fate: store.Unsent, Err: errSlow}
		}
		w.c = store.New(v, store.Options{})
		w.c.SetFlaws(noComplete)
		body := &pattern{size: 3*store.PartSize + 1}
		var total, calls int64
		write := store.Write{Key: key, ID: id, Progress: func(n int64) { total, calls = total+n, calls+1 }}
		info, err := w.c.Put(t.Context(), valid(), write, store.Body{ReaderAt: body, Size: body.size})
		if err != nil || info.Size != body.size || total != body.size || calls < 1000 {
			t.Errorf("%v: %d bytes of %d, told %d times", err, total, body.size, calls)
		}
	})
}
