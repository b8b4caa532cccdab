package file

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// SEMANTICS G1: what somebody without a lease writes between the copy and the delete of a rename stays
// when the kernel, to which ESTALE says so, makes the same call again.
func TestRenameOfWhatIsChangedMeanwhile(t *testing.T) {
	const copied, theirs, onCopy = "text", "text+theirs", "text+on the copy"
	for _, tt := range []struct {
		name     string
		options  memstore.Options
		target   string // what the new name has before, "" for nothing
		at       string // the request before which they write
		key      string // of that request
		write    map[string]string
		want     error
		from, to string // content afterwards, "-" for none
	}{
		{"only under the old name", memstore.Options{Versioned: true}, "", "Delete", "a",
			map[string]string{"a": theirs}, nil, "-", theirs},
		{"under both names", memstore.Options{Versioned: true}, "", "Delete", "a",
			map[string]string{"a": theirs, "b": onCopy}, ErrHalfRenamed, theirs, onCopy},
		{"on the copy while it is taken back", memstore.Options{Versioned: true}, "", "Delete", "b",
			map[string]string{"b": onCopy}, ErrHalfRenamed, theirs, onCopy},
		{"under the name that is replaced", memstore.Options{Versioned: true}, "old", "Delete", "a",
			map[string]string{"a": theirs, "b": onCopy}, ErrHalfRenamed, theirs, onCopy},
		{"under the old name, beside a file that is replaced", memstore.Options{Versioned: true}, "old", "Delete", "a",
			map[string]string{"a": theirs}, ErrHalfRenamed, theirs, copied},
		{"somebody copies the same bytes to the new name", memstore.Options{Versioned: true}, "", "Delete", "a",
			map[string]string{"a": theirs, "b": copied}, ErrHalfRenamed, theirs, copied},
		{"where no version tells what was changed", memstore.Options{}, "", "Delete", "a",
			map[string]string{"a": theirs}, ErrHalfRenamed, theirs, copied},
		{"over a copy that is an upload", memstore.Options{Versioned: true, Flaws: store.CopyConditions}, "", "Head", "b",
			map[string]string{"b": onCopy}, ErrHalfRenamed, copied, onCopy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, bucketOf(tt.options), newLockTable())
				defer h.stop()
				h.b.put("a", copied)
				if tt.target != "" {
					h.b.put("b", tt.target)
				}
				wrote := false
				h.b.net.Hook(func(op, key string, _ int) faultstore.Fault {
					there := h.b.get("b") == copied // the copy
					if there && op == "Delete" && key == "a" && tt.key == "b" {
						h.b.put("a", theirs)
					}
					if there && op == tt.at && key == tt.key && !wrote {
						wrote = true
						for key, text := range tt.write {
							h.b.put(key, text)
						}
					}
					return faultstore.Fault{}
				})
				err := h.Rename(t.Context(), "a", "b", false, nil)
				if errors.Is(err, ErrStale) || errors.Is(err, store.ErrConflict) {
					err = h.Rename(t.Context(), "a", "b", false, nil)
				}
				if !errors.Is(err, tt.want) || h.b.get("a") != tt.from || h.b.get("b") != tt.to || !wrote {
					t.Errorf("%v, want %v; a is %q, want %q; b is %q, want %q; they wrote: %t", err, tt.want, h.b.get("a"), tt.from, h.b.get("b"), tt.to, wrote)
				}
			})
		})
	}
}

// The copy is not taken back if the delete, which was refused, has landed before: a box in the middle has
// sent it twice, and somebody has made another file of the old name in between.
func TestRenameWhoseDeleteCameTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "text")
		h.b.once("Delete", "a", func() {
			h.b.remove("a")
			h.b.put("a", "another")
		})
		if err := h.Rename(t.Context(), "a", "b", false, nil); !errors.Is(err, ErrHalfRenamed) {
			t.Errorf("rename: %v", err)
		}
		if h.b.get("a") != "another" || h.b.get("b") != "text" {
			t.Errorf("a is %q, b is %q", h.b.get("a"), h.b.get("b"))
		}
	})
}
