package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// LOCKS P6: attributes are journalled when they change. What a chmod, chown or utimens
// answered survives kill -9, and kept files have the mode, owner and times that the file had
// here.
func TestAttributesSurviveACrash(t *testing.T) {
	ctx := context.Background()
	mode, uid, at := uint32(0o600), uint32(42), time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	all := Change{Mode: &mode, UID: &uid, Mtime: &at}
	for _, c := range []struct {
		name   string
		before func(h *host) *Handle
		change func(h *host, x *Handle) error
		keys   []string // that have to have the attributes after the recovery
	}{
		{"by name, of a file that is open and dirty", func(h *host) *Handle {
			h.b.put("a", "base")
			x := h.open("a", "r+")
			h.write(x, "ours", 0)
			return x
		}, func(h *host, x *Handle) error { _, err := h.SetAttr(ctx, "a", all); return err }, []string{"a", "a.recovered-"}},
		{"by name, of a file that is open and clean", func(h *host) *Handle {
			h.b.put("a", "base")
			return h.open("a", "r+")
		}, func(h *host, x *Handle) error { _, err := h.SetAttr(ctx, "a", all); return err }, []string{"a"}},
		{"through the handle", func(h *host) *Handle {
			h.b.put("a", "base")
			x := h.open("a", "r+")
			h.write(x, "ours", 0)
			return x
		}, func(h *host, x *Handle) error { _, err := x.SetAttr(ctx, all); return err }, []string{"a", "a.recovered-"}},
		{"of a new file", func(h *host) *Handle {
			x := h.open("a", "c")
			h.write(x, "ours", 0)
			return x
		}, func(h *host, x *Handle) error { _, err := x.SetAttr(ctx, all); return err }, []string{"a.recovered-"}},
		{"after an fsync", func(h *host) *Handle {
			x := h.open("a", "c")
			h.write(x, "ours", 0)
			if err := x.Sync(ctx); err != nil {
				h.t.Fatal(err)
			}
			return x
		}, func(h *host, x *Handle) error { _, err := x.SetAttr(ctx, all); return err }, []string{"a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				if err := c.change(h, c.before(h)); err != nil {
					t.Fatal(err)
				}
				h.died()
				n := newHost(t, h.b, h.locks)
				defer n.stop()
				if left := n.recover(h); len(left) != 0 {
					t.Errorf("left %+v", left)
				}
				for _, key := range c.keys {
					found := h.b.like(key)
					if len(found) == 0 {
						t.Errorf("there is no %s: %v", key, h.b.like(""))
						continue
					}
					a := AttrOf(h.b.info(found[0]), h.o.Defaults)
					if a.Mode != ModeRegular|mode || a.UID != uid || !a.Mtime.Equal(at) {
						t.Errorf("%s: mode %o, owner %d, mtime %v", found[0], a.Mode, a.UID, a.Mtime)
					}
				}
			})
		})
	}
}

// A change of attributes that was not saved is not made on what somebody else has put there,
// although the same bytes have the same ETag.
func TestAttributesOverAForeignChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.put("a", "base")
		mode := uint32(0o600)
		if _, err := h.open("a", "r+").SetAttr(t.Context(), Change{Mode: &mode}); err != nil {
			t.Fatal(err)
		}
		h.died()
		theirs := h.b.put("a", "base")
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		if left := n.recover(h); len(left) != 0 || h.b.info("a").VersionID != theirs.VersionID {
			t.Errorf("left %+v; theirs was replaced: %v", left, h.b.info("a").VersionID != theirs.VersionID)
		}
	})
}

// A recovered file shows when its bytes were written, not when the file was saved before.
func TestRecoveredFileHasTheTimeOfItsLastWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x := h.open("a", "c")
		h.write(x, "saved", 0)
		if err := x.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.write(x, "later", 0)
		h.died()
		at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
		data, err := filepath.Glob(filepath.Join(h.dir, "f-*", "data"))
		if err != nil || len(data) != 1 {
			t.Fatal(data, err)
		}
		if err := os.Chtimes(data[0], at, at); err != nil {
			t.Fatal(err)
		}
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.recover(h)
		kept := h.b.like("a.recovered-")
		if len(kept) != 1 || !h.b.info(kept[0]).ModTime().Equal(at) {
			t.Errorf("kept %v with the time %v", kept, h.b.info(kept[0]).ModTime())
		}
	})
}

// A file that was made with mode 0600 here is kept with it, whatever becomes of it.
func TestKeptFilesArePrivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x, y := h.open("open", "c"), h.open("theirs", "c")
		h.write(x, "secret", 0)
		h.write(y, "secret", 0)
		h.b.put("theirs", "theirs")
		if err := h.close(y); !errors.Is(err, ErrConflicted) {
			t.Errorf("close: %v", err)
		}
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.recover(h)
		kept := append(h.b.like(".recovered-"), h.b.like(".conflict-")...)
		if len(kept) != 2 {
			t.Fatalf("kept %v", kept)
		}
		for _, key := range kept {
			a := AttrOf(h.b.info(key), h.o.Defaults)
			if a.Mode != ModeRegular|0o640 || a.UID != 7 || a.GID != 8 {
				t.Errorf("%s: mode %o, owner %d:%d", key, a.Mode, a.UID, a.GID)
			}
		}
	})
}

// A directory keeps others from the files in it. What is kept anywhere else, or in a directory that
// is made anew for it, is for its owner alone.
// SEMANTICS G5
func TestKeptOutsideItsDirectoryIsPrivate(t *testing.T) {
	for name, change := range map[string]func(b *bucket){
		"the directory became a file": func(b *bucket) { b.remove("d/"); b.remove("d/x"); b.put("d", "theirs") },
		"the directory is gone":       func(b *bucket) { b.remove("d/"); b.remove("d/x") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				h.o.Lasting = func(string) bool { return false }
				if _, err := h.Mkdir(t.Context(), "d/", 0o700, 7, 8); err != nil {
					t.Fatal(err)
				}
				h.save("d/x", "for those who may search d")
				x := h.open("d/x", "r+")
				h.write(x, "more", 0)
				change(h.b)
				if err := h.close(x); !errors.Is(err, ErrConflicted) {
					t.Errorf("close: %v", err)
				}
				kept := h.b.like("x.conflict-")
				if len(kept) != 1 {
					t.Fatalf("kept %v", kept)
				}
				if a := AttrOf(h.b.info(kept[0]), h.o.Defaults); a.Mode != ModeRegular|0o600 || a.UID != 7 || a.GID != 8 {
					t.Errorf("%s: mode %o, owner %d:%d", kept[0], a.Mode, a.UID, a.GID)
				}
				h.stop()
			})
		})
	}
}

// A recovery that is cut off between keeping a file and dropping it from the spool does not
// make a second one.
func TestRecoveryCutOffKeepsOneFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.write(h.open("a", "c"), "text", 0)
		h.died()
		n := newHost(t, h.b, h.locks)
		n.b.hang(true) // the file lands, and the recovery never learns it
		r, err := n.Recovery(h.dir)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if left, err := r.Run(ctx); err == nil || len(left) != 1 {
			t.Errorf("left %+v, %v", left, err)
		}
		r.Close()
		n.died()
		time.Sleep(time.Hour)
		m := newHost(t, h.b, h.locks)
		defer m.stop()
		m.recover(h)
		if kept := h.b.like("a.recovered-"); len(kept) != 1 || h.b.versions(kept[0]) != 1 {
			t.Errorf("kept %v", kept)
		}
	})
}

// The same for what is kept in part, with the list of its ranges, because its base is gone: a
// recovery that was cut off before it removed the bytes has written both.
func TestRecoveryCutOffKeepsOneList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, bucketOf(memstore.Options{}), newLockTable())
		h.save("a", "base and more")
		time.Sleep(time.Second) // until the spool does not have it any more
		h.write(h.open("a", "r+"), "text", 2)
		h.died()
		h.b.put("a", "theirs")
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		again := &host{dir: t.TempDir()}
		if err := os.CopyFS(again.dir, os.DirFS(h.dir)); err != nil {
			t.Fatal(err)
		}
		n.recover(h)
		n.recover(again)
		kept := h.b.like("a.recovered-")
		if len(kept) != 2 {
			t.Errorf("kept %v", kept)
		}
		for _, key := range kept {
			if a := AttrOf(h.b.info(key), h.o.Defaults); a.Mode != ModeRegular|0o640 || a.UID != 7 {
				t.Errorf("%s: mode %o, owner %d", key, a.Mode, a.UID)
			}
		}
	})
}

// A server that says of every new name that it is taken is not asked for ever, nor without a
// pause.
func TestEveryNameIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.b.put("a", "theirs")
		taken := h.b.net.On("Put").Key("*.conflict-*").Fail(store.Refused, store.ErrPrecondition)
		began := time.Now()
		if err := h.close(x); err == nil || time.Since(began) < time.Second {
			t.Errorf("close: %v after %v", err, time.Since(began))
		}
		if n := taken.Fired(); n < 2 || n > 20 {
			t.Errorf("%d requests", n)
		}
		if left, err := h.Shutdown(context.Background()); err != nil || len(left) != 1 || left[0].Bytes != 4 {
			t.Errorf("the bytes are not kept: %+v, %v", left, err)
		}
	})
}

// A change through a handle that reads an old version is not made on what has the name now.
func TestAttributesOfAnOldVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "old")
		x := h.open("a", "r")
		h.b.put("a", "new")
		mode := uint32(0o600)
		if _, err := x.SetAttr(t.Context(), Change{Mode: &mode}); !errors.Is(err, ErrStale) || h.b.versions("a") != 2 {
			t.Errorf("chmod: %v, %d versions", err, h.b.versions("a"))
		}
		x.Release()
	})
}
