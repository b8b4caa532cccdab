package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// avoids checks that no request was sent whose conditions the server ignores.
func (w *world) avoids(flaws store.Flaws) {
	w.Helper()
	for request, flaw := range map[string]store.Flaws{"Copy": noCopy, "CopyPart": noParts, "CompleteUpload": noComplete} {
		if n := w.c.Requests()[request]; n > 0 && flaws.Has(flaw) {
			w.Errorf("%d times %s, on a server with %s", n, request, flaws)
		}
	}
}

// readWrite are the sets of flaws on which a mount may write.
func readWrite() (sets []store.Flaws) {
	for _, c := range []store.Flaws{0, noCopy} {
		for _, p := range []store.Flaws{0, noParts} {
			for _, m := range []store.Flaws{0, noComplete} {
				sets = append(sets, c|p|m)
			}
		}
	}
	return append(sets, noDelete, noCopy|noParts|noComplete|noDelete)
}

// SEMANTICS "Servers": with each set of flaws, copies and bodies of each size are made, by requests
// whose conditions hold, and never over what somebody else wrote or of what he made of the source.
func TestWays(t *testing.T) {
	sizes := map[string]string{"nothing": "", "little": source, "large": large}
	for _, flaws := range readWrite() {
		for name, body := range sizes {
			for _, versioned := range []bool{true, false} {
				for _, what := range []string{"put", "copy", "onto itself"} {
					for _, changed := range []string{"", "target", "source"} {
						if what != "copy" && changed == "source" || changed == "source" && versioned {
							continue // it has no other source; the version that was seen stays
						}
						t.Run(fmt.Sprintf("%s/%s/versioned=%v/%s/%s changed", flaws, name, versioned, what, changed), func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) { wayOf(newFlawed(t, versioned, flaws), what, body, changed) })
						})
					}
				}
			}
		}
	}
}

// Each way around is needed: a client that does not know of the flaw loses an update, and the test
// above sees it.
func TestWaysAreNeeded(t *testing.T) {
	for _, c := range []struct {
		flaws, known        store.Flaws
		what, body, changed string
	}{
		{noCopy, 0, "copy", source, "target"},
		{noCopy, 0, "onto itself", source, "target"},
		{noCopy | noParts, noCopy, "copy", source, "source"},
		{noComplete, 0, "put", large, "target"},
		{noCopy | noComplete, noCopy, "copy", source, "target"},
	} {
		synctest.Test(t, func(t *testing.T) {
			found := &recorder{TB: t}
			w := newFlawed(found, false, c.flaws)
			w.c.SetFlaws(c.known)
			wayOf(w, c.what, c.body, c.changed)
			if found.n.Load() == 0 {
				t.Errorf("nothing is found on a server with %s of which %s is known", c.flaws, c.known)
			}
		})
	}
}

// The lease ends after the last part: nothing lands, and nothing is left.
func TestPermitEndsBetweenPartAndComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newFlawed(t, true, noCopy), valid()
		from, base := w.b.PutForeign("source", source), w.b.PutForeign(key, "base").Base()
		w.on("CopyPart", 1, func() { p.gone.Store(true) })
		_, err := w.c.Copy(t.Context(), p, store.Write{Key: key, ID: id, Base: base}, store.Source{Key: "source", Base: from.Base(), Size: from.Size})
		if !errors.Is(err, store.ErrNotPermitted) || w.content(key) != "base" || w.b.OpenUploads() != 0 || w.c.Requests()["CompleteUpload"] != 0 {
			t.Errorf("%v, %q is there, %d uploads", err, w.content(key), w.b.OpenUploads())
		}
	})
}

func wayOf(w *world, what, body, changed string) {
	from := w.b.PutForeign("source", body)
	base := w.b.PutForeign(key, "base").Base()
	if what == "onto itself" {
		from = w.b.PutForeign(key, body)
		base = from.Base()
	}
	time.Sleep(time.Minute)
	switch changed {
	case "target":
		w.foreign()
	case "source":
		w.b.PutForeign("source", strings.Repeat("z", len(body)+1))
	}
	write := store.Write{Key: key, ID: id, Base: base}
	var err error
	if what == "put" {
		r := strings.NewReader(body)
		_, err = w.c.Put(w.Context(), valid(), write, store.Body{ReaderAt: r, Size: r.Size()})
	} else {
		_, err = w.c.Copy(w.Context(), valid(), write, store.Source{Key: from.Key, Base: from.Base(), Size: from.Size})
	}
	want, wantErr := body, error(nil)
	switch changed {
	case "target":
		want, wantErr = theirs, store.ErrConflict
	case "source":
		want, wantErr = "base", store.ErrConflict
	}
	if got := w.content(key); got != want || !errors.Is(err, wantErr) || err != nil && wantErr == nil {
		w.Errorf("error %v, want %v; there are %d bytes %.20q, want %.20q", err, wantErr, len(got), got, want)
	}
	w.avoids(w.c.Flaws())
	if n := w.b.OpenUploads(); n != 0 {
		w.Errorf("%d uploads are left", n)
	}
}
