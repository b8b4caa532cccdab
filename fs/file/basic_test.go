package file

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

func TestCreateWriteCloseIsOneVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("d/a", "c")
		if _, ok := h.Attr("d/a"); !ok {
			t.Error("a created file has no attributes")
		}
		if h.b.get("d/a") != "-" {
			t.Error("in the bucket before the close")
		}
		h.write(x, "hello", 0)
		if got := h.read(x); got != "hello" {
			t.Errorf("read back %q", got)
		}
		if err := h.close(x); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h.b.get("d/a") != "hello" || h.b.versions("d/a") != 1 {
			t.Errorf("bucket has %q in %d versions", h.b.get("d/a"), h.b.versions("d/a"))
		}
		if h.locks.holds("d/a") {
			t.Error("the lease is still held")
		}
		if len(h.files) != 0 || h.spool.Used() != 0 {
			t.Errorf("%d files, %d bytes left", len(h.files), h.spool.Used())
		}
		r := h.open("d/a", "r")
		a := r.Attr()
		if h.read(r) != "hello" || a.Mode != ModeRegular|0o640 || a.UID != 7 || a.GID != 8 {
			t.Errorf("reads %q, %+v", h.read(r), a)
		}
		h.close(r)
	})
}

func TestOpenKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		if _, err := h.tryOpen("a", "w"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("open of nothing: %v", err)
		}
		synctest.Wait()
		h.b.put("a", "0123456789")
		if _, err := h.tryOpen("a", "c"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create over a file: %v", err)
		}
		x := h.open("a", "r+")
		h.write(x, "AB", 3)
		if got := h.read(x); got != "012AB56789" {
			t.Errorf("partial write reads %q", got)
		}
		h.close(x)
		x = h.open("a", "a")
		h.write(x, "+", 0) // the kernel's idea of the size is wrong
		h.close(x)
		if got := h.b.get("a"); got != "012AB56789+" {
			t.Errorf("after the append %q", got)
		}
		x = h.open("a", "w")
		if got := h.read(x); got != "" {
			t.Errorf("truncated file reads %q", got)
		}
		h.close(x)
		if got := h.b.get("a"); got != "" || h.b.versions("a") != 4 {
			t.Errorf("after the truncating open %q in %d versions", got, h.b.versions("a"))
		}
		x = h.open("a", "r+")
		h.close(x)
		if h.b.versions("a") != 4 {
			t.Error("an open without a write made a version")
		}
	})
}

// SEMANTICS G3: an open read handle reads one version, until a local process writes.
func TestReadersPinAndFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "one")
		old := h.open("a", "r")
		h.b.put("a", "two")
		r := h.open("a", "r")
		w := h.open("a", "r+")
		if got := h.read(r); got != "two" {
			t.Errorf("before the first write it reads %q", got)
		}
		h.write(w, "T", 0)
		if got := h.read(r); got != "Two" {
			t.Errorf("the reader does not follow the writer: %q", got)
		}
		r2 := h.open("a", "r")
		if got := h.read(r2); got != "Two" {
			t.Errorf("a reader opened beside the writer reads %q", got)
		}
		if err := h.close(w); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.b.put("a", "three")
		if h.read(r) != "Two" || h.read(r2) != "Two" {
			t.Errorf("after the writer closed they read %q and %q", h.read(r), h.read(r2))
		}
		if got := h.read(old); got != "one" {
			t.Errorf("the handle on an older version reads %q", got)
		}
		h.close(old)
		h.close(r)
		h.close(r2)
	})
}

// SEMANTICS G1, P7 "foreign tool overwrites the key".
func TestForeignChangeBecomesConflictFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("d/a.txt", "base")
		x, r := h.open("d/a.txt", "r+"), h.open("d/a.txt", "r+")
		h.write(x, "ours", 0)
		h.b.put("d/a.txt", "theirs")
		err := h.close(x)
		var c *ConflictError
		if !errors.As(err, &c) || !errors.Is(err, ErrConflicted) {
			t.Fatalf("close: %v", err)
		}
		if h.b.get("d/a.txt") != "theirs" || h.b.get(c.Kept) != "ours" || !strings.HasPrefix(c.Kept, "d/a.txt.conflict-here-") {
			t.Errorf("name %q, kept %q under %q", h.b.get("d/a.txt"), h.b.get(c.Kept), c.Kept)
		}
		if h.read(r) != "ours" {
			t.Errorf("the other handle reads %q", h.read(r))
		}
		if _, err := r.Write([]byte("x"), 0); !errors.Is(err, ErrConflicted) {
			t.Errorf("write after the conflict: %v", err)
		}
		if err := r.Sync(context.Background()); !errors.Is(err, ErrConflicted) {
			t.Errorf("fsync after the conflict: %v", err)
		}
		n := h.open("d/a.txt", "r")
		if h.read(n) != "theirs" {
			t.Errorf("a new open reads %q", h.read(n))
		}
		h.close(n)
		r.Release()
		synctest.Wait()
		if h.spool.Used() != 0 || len(h.files) != 0 {
			t.Errorf("%d bytes, %d files left", h.spool.Used(), len(h.files))
		}
	})
}

// What is written while the commit that meets the conflict runs is kept too.
func TestConflictKeepsNewerWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.b.once("Put", "a", func() {
			h.write(x, " and more", 4)
			h.b.put("a", "theirs")
		})
		err := x.Sync(context.Background())
		var c *ConflictError
		if !errors.As(err, &c) || h.b.get(c.Kept) != "ours and more" {
			t.Errorf("%v, kept %q", err, h.b.like(".conflict-"))
		}
		h.close(x)
	})
}

// The time of a foreign object is its LastModified, which a copy changes.
func TestRenameKeepsForeignMtime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		want := AttrOf(h.b.put("a", "x"), h.o.Defaults).Mtime
		time.Sleep(time.Hour)
		if err := h.Rename(context.Background(), "a", "b", false, nil); err != nil {
			t.Fatal(err)
		}
		mode := uint32(0o600)
		h.b.put("c", "x")
		wantC := AttrOf(h.b.info("c"), h.o.Defaults).Mtime
		time.Sleep(time.Hour)
		if _, err := h.SetAttr(context.Background(), "c", Change{Mode: &mode}); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]time.Time{"b": want, "c": wantC} {
			if got := AttrOf(h.b.info(key), h.o.Defaults).Mtime; !got.Equal(want) {
				t.Errorf("%s: mtime %v, was %v", key, got, want)
			}
		}
	})
}

func TestUnlinkOpenFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		ctx := context.Background()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "B", 0)
		if err := h.Unlink(ctx, "a", nil); err != nil {
			t.Fatal(err)
		}
		if h.b.get("a") != "-" {
			t.Error("still in the bucket")
		}
		h.save("a", "new")
		if h.read(x) != "Base" {
			t.Errorf("the open handle reads %q", h.read(x))
		}
		h.write(x, "more", 4)
		if err := h.close(x); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if h.b.get("a") != "new" || h.spool.Used() != 0 {
			t.Errorf("name has %q, spool %d bytes", h.b.get("a"), h.spool.Used())
		}
		y := h.open("tmp", "c")
		h.write(y, "x", 0)
		if err := h.Unlink(ctx, "tmp", nil); err != nil {
			t.Errorf("unlink of a file that is only here: %v", err)
		}
		h.close(y)
		synctest.Wait()
		if err := h.Unlink(ctx, "tmp", nil); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("unlink of nothing: %v", err)
		}
		if n := h.b.count("Delete"); n != 1 {
			t.Errorf("%d deletes", n)
		}
	})
}

func TestSetAttr(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		ctx := context.Background()
		h.b.put("a", "0123456789")
		mode := uint32(0o600)
		a, err := h.SetAttr(ctx, "a", Change{Mode: &mode})
		if err != nil || a.Mode != ModeRegular|0o600 {
			t.Fatalf("chmod: %+v, %v", a, err)
		}
		synctest.Wait()
		if h.b.count("Copy") != 1 || h.b.count("Put") != 0 {
			t.Errorf("chmod took %d copies and %d puts", h.b.count("Copy"), h.b.count("Put"))
		}
		if _, err := h.SetAttr(ctx, "a", Change{Mode: &mode}); err != nil {
			t.Fatal(err)
		}
		if h.b.versions("a") != 2 {
			t.Errorf("a change that changes nothing made version %d", h.b.versions("a"))
		}
		size := int64(4)
		if _, err := h.SetAttr(ctx, "a", Change{Size: &size}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h.b.get("a") != "0123" {
			t.Errorf("truncated to %q", h.b.get("a"))
		}
		x := h.open("a", "r+")
		h.write(x, "x", 0)
		uid := uint32(42)
		if _, err := h.SetAttr(ctx, "a", Change{UID: &uid}); err != nil {
			t.Fatal(err)
		}
		if h.b.versions("a") != 3 {
			t.Error("a change to an open file did not wait for its commit")
		}
		h.close(x)
		synctest.Wait()
		r := h.open("a", "r")
		if r.Attr().UID != 42 || r.Attr().Mode != ModeRegular|0o600 || h.b.versions("a") != 4 {
			t.Errorf("%+v in %d versions", r.Attr(), h.b.versions("a"))
		}
		h.close(r)
		if _, err := h.SetAttr(ctx, "none", Change{UID: &uid}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("of nothing: %v", err)
		}
		if a, err := h.SetAttr(ctx, "dir/", Change{Mode: &mode}); err != nil || a.Mode != ModeDir|0o600 || h.b.get("dir/") != "" {
			t.Errorf("of a directory without a marker: %+v, %v", a, err)
		}
	})
}

func TestDirectoriesAndLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		ctx := context.Background()
		if a, err := h.Mkdir(ctx, "d/", 0o700, 1, 2); err != nil || a.Mode != ModeDir|0o700 {
			t.Fatalf("mkdir: %+v, %v", a, err)
		}
		if _, err := h.Mkdir(ctx, "d/", 0o700, 1, 2); !errors.Is(err, fs.ErrExist) {
			t.Errorf("second mkdir: %v", err)
		}
		if _, err := h.Symlink(ctx, SymlinkRequest{Key: "d/l", Target: "../target", UID: 1, GID: 2}); err != nil {
			t.Fatal(err)
		}
		if s, err := h.Readlink(ctx, "d/l"); s != "../target" || err != nil {
			t.Errorf("readlink: %q, %v", s, err)
		}
		if err := h.Rmdir(ctx, "d/", nil); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("rmdir of a full directory: %v", err)
		}
		if err := h.Unlink(ctx, "d/l", nil); err != nil {
			t.Fatal(err)
		}
		x := h.open("d/new", "c")
		if err := h.Rmdir(ctx, "d/", nil); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("rmdir beside a file that is only here: %v", err)
		}
		if err := h.Unlink(ctx, "d/new", nil); err != nil {
			t.Fatal(err)
		}
		h.close(x)
		if err := h.Rmdir(ctx, "d/", nil); err != nil || h.b.get("d/") != "-" {
			t.Errorf("rmdir: %v", err)
		}
	})
}

func TestRename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		ctx := context.Background()
		h.b.put("a", "old a")
		h.b.put("b", "old b")
		if err := h.Rename(ctx, "a", "b", true, nil); !errors.Is(err, fs.ErrExist) {
			t.Errorf("noreplace: %v", err)
		}
		x, gone := h.open("a", "r+"), h.open("b", "r")
		h.write(x, "new", 0)
		if err := h.Rename(ctx, "a", "b", false, nil); err != nil {
			t.Fatal(err)
		}
		h.check()
		if h.b.get("a") != "-" || h.b.get("b") != "new a" {
			t.Errorf("a %q, b %q", h.b.get("a"), h.b.get("b"))
		}
		if h.read(gone) != "old b" || x.Key() != "b" {
			t.Errorf("replaced file reads %q, the handle has key %q", h.read(gone), x.Key())
		}
		h.save("a", "another") // `a` again, while the old one is open as `b`
		h.write(x, "!", 5)
		if err := h.close(x); err != nil {
			t.Fatal(err)
		}
		h.close(gone)
		synctest.Wait()
		if h.b.get("a") != "another" || h.b.get("b") != "new a!" {
			t.Errorf("a %q, b %q", h.b.get("a"), h.b.get("b"))
		}
		if h.locks.holds("a") || h.locks.holds("b") || len(h.files) != 0 {
			t.Errorf("left: leases %v %v, files %v", h.locks.holds("a"), h.locks.holds("b"), h.files)
		}
		if err := h.Rename(ctx, "none", "b", false, nil); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("of nothing: %v", err)
		}
	})
}
