package file

import (
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
)

// expire makes it impossible to prove the lease of the key, or ends that.
func (l *lockTable) expire(key string, yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[key].expired = yes
}

// LOCKS P3: a live file is the truth for those who look only while its lease is proved, or as long
// as the bucket shows the version that it grew from.
func TestAttrNeedsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		base := h.b.put("a", "base").Base()
		listed := base
		listed.VersionID = ""
		other := base
		other.VersionID = "other"
		x := h.open("a", "r+")
		h.write(x, "longer", 0)
		n := h.open("new", "c")
		h.locks.expire("a", true)
		h.locks.expire("new", true)
		for _, key := range []string{"a", "new"} {
			if a, ok := h.Attr(key); ok {
				t.Errorf("without a proved lease %q has %+v", key, a)
			}
		}
		for _, tt := range []struct {
			key   string
			found store.Base
			want  bool
		}{
			{"a", base, true}, {"a", listed, true}, {"a", other, false}, {"a", store.Base{}, false},
			{"new", store.Base{}, true}, {"new", base, false}, {"nobody has it", store.Base{}, false},
		} {
			if a, ok := h.AttrOf(tt.key, tt.found); ok != tt.want || ok && tt.key == "a" && a.Size != 6 {
				t.Errorf("%q, found %+v: %v %+v", tt.key, tt.found, ok, a)
			}
		}
		h.locks.expire("a", false)
		if a, ok := h.Attr("a"); !ok || a.Size != 6 {
			t.Errorf("with a proved lease: %v %+v", ok, a)
		}

		// The lease was lost, and when it was had again another version was there.
		h.b.put("a", "theirs")
		h.locks.lose("a")
		synctest.Wait()
		if a, ok := h.Attr("a"); ok {
			t.Errorf("on a version that is gone: %+v", a)
		}
		x.Release()
		n.Release()
	})
}

// A handle follows what is live under the key if it shows what processes here make of it.
func TestFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "old")
		old := h.open("a", "r")
		if old.Follows("a") {
			t.Error("a reader follows a file that is not live")
		}
		h.b.put("a", "base")
		before := h.open("a", "r")
		x := h.open("a", "r+")
		during := h.open("a", "r")
		if old.Follows("a") || !before.Follows("a") || !x.Follows("a") || !during.Follows("a") || x.Follows("b") {
			t.Error("who follows:", old.Follows("a"), before.Follows("a"), x.Follows("a"), during.Follows("a"), x.Follows("b"))
		}
		if err := h.Rename(t.Context(), "a", "b", false, nil); err != nil {
			t.Fatal(err)
		}
		if x.Follows("a") || !x.Follows("b") {
			t.Error("after a rename:", x.Follows("a"), x.Follows("b"))
		}
		if err := h.Unlink(t.Context(), "b", nil); err != nil {
			t.Fatal(err)
		}
		if x.Follows("b") {
			t.Error("a removed file is followed under its name")
		}
		for _, d := range []*Handle{old, before, x, during} {
			d.Release()
		}
	})
}
