package store_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
)

// LOCKS P3: the body reader fails before the last byte once the permit has run out, so that
// the server cannot act on the request.
func TestPermitEndsBeforeLastByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{1, 1000, 1 << 20} {
			w, p := newWorld(t, true), valid()
			p.passes.Store(1)
			body := strings.NewReader(strings.Repeat("x", size))
			_, err := w.c.Put(t.Context(), p, store.Write{Key: key, ID: id, Unanswered: func(error) { t.Error("unanswered") }},
				store.Body{ReaderAt: body, Size: body.Size()})
			if !errors.Is(err, store.ErrNotPermitted) || errors.Is(err, store.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
			if n := w.b.Count("Put"); n != 1 || w.content(key) != "-" {
				t.Errorf("%d attempts, content %.10q", n, w.content(key))
			}
		}
	})
}

// An error of the body itself ends the write; it is neither tried again nor taken for an
// answer of the server.
func TestBodyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		changed := errors.Join(errors.New("the base has changed"), store.ErrNotFound)
		base := w.b.PutForeign(key, "base").Base()
		_, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Base: base}, store.Body{ReaderAt: brokenBody{changed}, Size: 10})
		if !errors.Is(err, changed) || errors.Is(err, store.ErrConflict) {
			t.Errorf("error %v", err)
		}
		if n := w.c.Requests(); n["Put"] != 0 || n["Head"] != 0 {
			t.Errorf("requests %v", n)
		}
	})
}

type brokenBody struct{ err error }

func (b brokenBody) ReadAt([]byte, int64) (int, error) { return 0, b.err }
