package file

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// What no close asked for is kept beside somebody else's version although nobody has the file
// open any more.
func TestReleaseKeepsLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "mapped", 0)
		h.b.put("a", "theirs")
		x.Release()
		synctest.Wait()
		kept := h.b.like("a.conflict-")
		if len(kept) != 1 || h.b.get(kept[0]) != "mapped" || h.b.get("a") != "theirs" || len(h.files) != 0 {
			t.Errorf("kept %v, a is %q, in the table: %v", kept, h.b.get("a"), h.files)
		}
	})
}

// A conflict file that cannot be written does not hold the name: theirs is under it, the
// lease is free, and our bytes stay in the spool. What may pass is tried again.
func TestConflictFileFails(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(b *bucket)
		kept  bool
	}{
		// The client gives up reading after half a minute.
		{"for a while", func(b *bucket) { b.net.On("Get").Fail(store.Unsent, errDial); time.AfterFunc(time.Minute, b.net.Heal) }, true},
		{"for good", func(b *bucket) { b.net.On("Put").Key("*.conflict-*").Fail(store.Refused, store.ErrAccessDenied) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				h.b.put("a", "base")
				x := h.open("a", "r+")
				h.write(x, "ours", 2)
				h.b.put("a", "theirs")
				h.b.once("Put", "a", func() { c.fault(h.b) })
				if err := h.close(x); !errors.Is(err, ErrConflicted) && !errors.Is(err, store.ErrAccessDenied) {
					t.Errorf("close: %v", err)
				}
				synctest.Wait()
				if h.locks.holds("a") {
					t.Error("the lease of the name is still held")
				}
				if y, err := h.tryOpen("a", "r"); err != nil {
					t.Errorf("opening what is under the name: %v", err)
				} else {
					y.Release()
				}
				kept := h.b.like(".conflict-")
				if !c.kept && !h.synced() {
					t.Error("what stays in the spool can be taken by a power cut (SEMANTICS G5)")
				}
				left, err := h.Shutdown(context.Background())
				switch {
				case err != nil:
					t.Error(err)
				case c.kept && (len(kept) != 1 || h.b.get(kept[0]) != "baours" || len(left) != 0):
					t.Errorf("kept %v, left %+v", kept, left)
				case !c.kept && (len(left) != 1 || left[0].Key != "a" || left[0].Bytes != 4):
					t.Errorf("left %+v", left)
				}
				if c.kept {
					return
				}
				h.b.net.Heal()
				n := newHost(t, h.b, h.locks)
				defer n.stop()
				n.recover(h)
				if kept := h.b.like(".conflict-"); len(kept) != 1 || h.b.get(kept[0]) != "baours" {
					t.Errorf("recovered %v", kept)
				}
			})
		})
	}
}

// On a bucket without versions the base of a partial change can be gone before the upload
// has read it. That is a conflict like any other, and no error to try again for ever.
func TestBaseGoneWhileUploading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, bucketOf(memstore.Options{}), newLockTable())
		h.b.put("a", "0123456789")
		x := h.open("a", "r+")
		h.write(x, "ABC", 2)
		h.b.put("a", "theirs")
		if err := h.close(x); !errors.Is(err, ErrConflicted) {
			t.Errorf("close: %v", err)
		}
		synctest.Wait()
		kept := h.b.like(".conflict-")
		if len(kept) != 2 || h.b.get(kept[0]) != "\x00\x00ABC\x00\x00\x00\x00\x00" || h.b.get(kept[1]) != "2 3\n" || h.b.get("a") != "theirs" {
			t.Errorf("kept %q, name %q", kept, h.b.get("a"))
		}
		if h.locks.holds("a") {
			t.Error("the lease is still held")
		}
		h.stop()
	})
}

// The tags of the base belong to it: the kept file has none, and needs none to be made.
func TestConflictOfATaggedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		if i := h.b.mem.PutForeignProps("a", "base", store.Props{}, "colour=red"); i.Props.TagCount != 1 {
			t.Fatalf("%d tags", i.Props.TagCount)
		}
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.b.put("a", "theirs")
		if err := h.close(x); !errors.Is(err, ErrConflicted) {
			t.Errorf("close: %v", err)
		}
		kept := h.b.like("a.conflict-")
		if len(kept) != 1 || h.b.get(kept[0]) != "ours" || h.b.info(kept[0]).Props.TagCount != 0 {
			t.Errorf("kept %v", kept)
		}
	})
}
