package file

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

func TestKeptName(t *testing.T) {
	at := time.Date(2026, 11, 24, 14, 30, 5, 0, time.FixedZone("x", 3600))
	name := keptName("d/a.txt", "conflict", "my host", at, newID(), "")
	if !strings.HasPrefix(name, "d/a.txt.conflict-my host-20261124T133005Z-") || len(name) != len("d/a.txt.conflict-my host-20261124T133005Z-")+8 {
		t.Errorf("name %q", name)
	}
	if first, second := newID(), newID(); first == second {
		t.Error("two names of one moment are the same")
	}
	for _, key := range []string{
		strings.Repeat("n", 255),
		strings.Repeat("ä", 127),
		"d/" + strings.Repeat("日", 85),
		strings.Repeat("d/", 400) + "name",
		strings.Repeat(strings.Repeat("d", 250)+"/", 4) + "0123456789",
		strings.Repeat("d/", 511) + "n",
	} {
		for _, host := range []string{"h", strings.Repeat("host", 30), "a/b\x01\xff"} {
			got := keptName(key, "recovered", host, at, newID(), ".partial")
			last := got[strings.LastIndexByte(got, '/')+1:]
			if len(got) > 1024 || len(last) > 255 || !utf8.ValidString(got) || !strings.HasSuffix(got, ".partial") {
				t.Errorf("%d bytes, name %d: %q", len(got), len(last), got)
			}
			if !strings.HasPrefix(key, strings.TrimSuffix(got, last)) {
				t.Errorf("%q is not beside or above %q", got, key)
			}
		}
	}
}

func TestAttrOf(t *testing.T) {
	d := Defaults{UID: 1, GID: 2, FileMode: 0o644, DirMode: 0o755}
	at := time.Unix(1e9, 0)
	for _, c := range []struct {
		name string
		key  string
		meta map[string]string
		mode uint32
		uid  uint32
	}{
		{"foreign file", "a", nil, ModeRegular | 0o644, 1},
		{"foreign directory marker", "d/", nil, ModeDir | 0o755, 1},
		{"ours", "a", map[string]string{"file-permissions": "100600", "file-owner": "7"}, ModeRegular | 0o600, 7},
		{"symlink", "a", map[string]string{"file-permissions": "120777"}, ModeSymlink | 0o777, 1},
		{"a marker is a directory whatever it says", "d/", map[string]string{"file-permissions": "100700"}, ModeDir | 0o700, 1},
		{"devices are not believed", "a", map[string]string{"file-permissions": "020666"}, ModeRegular | 0o666, 1},
	} {
		a := AttrOf(store.Info{Key: c.key, ETag: "e", Size: 5, LastModified: at, Props: store.Props{Meta: c.meta}}, d)
		if a.Mode != c.mode || a.UID != c.uid || a.GID != 2 {
			t.Errorf("%s: mode %o, owner %d:%d", c.name, a.Mode, a.UID, a.GID)
		}
		if dir := a.Mode&ModeType == ModeDir; dir && a.Size != 0 || !dir && a.Size != 5 {
			t.Errorf("%s: size %d", c.name, a.Size)
		}
	}
}

// A change that sets what is there already sets nothing.
func TestChangeApply(t *testing.T) {
	a := Attr{Mode: ModeRegular | 0o644, UID: 1, Mtime: time.Unix(5, 0)}
	same, perm := uint32(0o100644), uint32(0o755)
	at := time.Unix(5, 0)
	if _, set := (Change{Mode: &same, UID: &a.UID, Mtime: &at}).apply(a); set != 0 {
		t.Errorf("set %b", set)
	}
	b, set := Change{Mode: &perm}.apply(a)
	if set != store.HasMode || b.Mode != ModeRegular|0o755 {
		t.Errorf("set %b, mode %o", set, b.Mode)
	}
}

// slowCopy copies as a client does that has a large object to copy: by and by.
type slowCopy struct {
	*bucket
	step time.Duration
}

func (s slowCopy) Copy(ctx context.Context, p store.Permit, w store.Write, src store.Source) (store.Info, error) {
	for range 5 {
		time.Sleep(s.step)
		w.Progress(1)
	}
	return s.bucket.Copy(ctx, p, w, src)
}

// The caller of a rename waits as long as a large copy goes on, and not for one that hangs.
func TestRenameWaitsForProgress(t *testing.T) {
	for _, tt := range []struct {
		name string
		step time.Duration
		want error
	}{
		{"slow", reachWait - time.Second, nil},
		{"hanging", reachWait + time.Second, store.ErrUnknownOutcome},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket()
				h := newHost(t, b, newLockTable())
				defer h.stop()
				b.put("a", "text")
				h.o.Objects = slowCopy{b, tt.step}
				if err := h.Rename(t.Context(), "a", "b", false, nil); !errors.Is(err, tt.want) {
					t.Errorf("rename: %v, want %v", err, tt.want)
				}
				time.Sleep(time.Minute)
				if tt.want == nil && b.get("b") != "text" {
					t.Errorf("b holds %q", b.get("b"))
				}
			})
		})
	}
}

// A source that was made again since the rename has looked at it is busy: it is in no version
// that could be copied.
func TestRenameOfASourceMadeMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		target, err := h.enter("a")
		if err != nil {
			t.Fatal(err)
		}
		target.lockOp(t.Context())
		renamed := make(chan error)
		go func() { renamed <- h.Rename(t.Context(), "b", "a", false, nil) }()
		synctest.Wait()
		x := h.open("b", "c") // the rename has the turn at b after that at a
		h.write(x, "text", 0)
		target.unlockOp()
		target.leave()
		err = <-renamed
		if _, held := errors.AsType[*lockmgr.HeldError](err); !held {
			t.Errorf("rename: %v", err)
		}
		if err := h.close(x); err != nil || h.b.get("b") != "text" || h.b.versions("a") != 0 {
			t.Errorf("close: %v, b is %q, %d versions of a", err, h.b.get("b"), h.b.versions("a"))
		}
	})
}

// LOCKS P3: the copy that a rename makes is the file's own commit, and its base from then on.
func TestRenameMakesTheCopyTheBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		if err := h.Rename(t.Context(), "a", "b", false, nil); err != nil {
			t.Fatal(err)
		}
		if base, _ := x.Saved(); !base.Same(h.b.info("b").Base()) {
			t.Errorf("the base is %+v", base)
		}
		h.write(x, "ours", 0)
		h.locks.lose("b") // so that the name is compared with the base
		if err := h.close(x); err != nil || h.b.get("b") != "ours" {
			t.Errorf("close: %v, b is %q", err, h.b.get("b"))
		}
	})
}
