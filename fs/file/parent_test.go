package file

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// What one host makes inside a directory, and what another one does with the directory.
var (
	insiders = map[string]func(h *host) error{
		"create": func(h *host) error {
			x, err := h.tryOpen("d/x", "c")
			if err != nil {
				return err
			}
			h.write(x, "mine", 0)
			return h.close(x)
		},
		"mkdir": func(h *host) error { _, err := h.Mkdir(context.Background(), "d/x/", 0o755, 0, 0); return err },
		"symlink": func(h *host) error {
			_, err := h.Symlink(context.Background(), SymlinkRequest{Key: "d/x", Target: "mine"})
			return err
		},
		"rename": func(h *host) error { return h.Rename(context.Background(), "mine", "d/x", false, nil) },
	}
	outsiders = map[string]func(h *host) error{
		"rmdir": func(h *host) error { return h.Rmdir(context.Background(), "d/", nil) },
		"rmdir and create": func(h *host) error {
			_ = h.Rmdir(context.Background(), "d/", nil)
			x, err := h.tryOpen("d", "c")
			if err != nil {
				return err
			}
			h.write(x, "theirs", 0)
			return h.close(x)
		},
		"rmdir and rename": func(h *host) error {
			_ = h.Rmdir(context.Background(), "d/", nil)
			return h.Rename(context.Background(), "theirs", "d", false, nil)
		},
	}
)

// LOCKS P2, a name and its directory: at every request of the one host the other one does all
// of its own. At the end the name is one thing, what was answered with 0 is there, and a
// directory has the mode that it had.
func TestNameAndItsDirectory(t *testing.T) {
	for _, w := range []directory{{versioned: true, marker: true}, {marker: true}, {versioned: true}} {
		for in, inside := range insiders {
			for out, outside := range outsiders {
				t.Run(fmt.Sprintf("%s beside %s, %+v", in, out, w), func(t *testing.T) {
					w.interrupted(t, inside, outside, func(b *bucket, made, gone error) { w.judge(t, b, made, gone) })
					w.interrupted(t, outside, inside, func(b *bucket, gone, made error) { w.judge(t, b, made, gone) })
				})
			}
		}
	}
}

// A directory is how a test begins: one without a marker is shown on both hosts, since both
// removed something in it.
type directory struct{ versioned, marker bool }

// interrupted lets host one do first and, just before its k-th request, host two second; for
// every k until first has no more requests.
func (d directory) interrupted(t *testing.T, first, second func(*host) error, judge func(b *bucket, first, second error)) {
	for k, more := 1, true; more; k++ {
		synctest.Test(t, func(t *testing.T) {
			b, l := bucketOf(memstore.Options{Versioned: d.versioned}), newLockTable()
			one, two := newHost(t, b, l), newHost(t, b, l)
			for _, h := range []*host{one, two} {
				h.o.Lasting = func(string) bool { return !d.marker }
			}
			if d.marker {
				if _, err := one.Mkdir(t.Context(), "d/", 0o700, 7, 8); err != nil {
					t.Fatal(err)
				}
			}
			one.save("mine", "mine")
			one.save("theirs", "theirs")
			time.Sleep(time.Minute)
			var n atomic.Int64
			var other error
			b.net.Hook(func(string, string, int) faultstore.Fault {
				if n.Add(1) == int64(k) {
					other = second(two)
				}
				return faultstore.Fault{}
			})
			err := first(one)
			more = n.Load() >= int64(k)
			b.net.Hook(nil)
			if !more {
				other = second(two)
			}
			time.Sleep(3 * time.Minute)
			synctest.Wait() // the race detector does not know that the hook is through
			judge(b, err, other)
			for _, h := range []*host{one, two} {
				if left := h.Pending(); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				h.stop()
			}
			if len(l.held) > 0 {
				t.Errorf("held at the end: %v", l.held)
			}
			if t.Failed() {
				t.Fatalf("at request %d: %v, %v", k, err, other)
			}
		})
		if t.Failed() {
			return
		}
	}
}

func (d directory) judge(t *testing.T, b *bucket, made, gone error) {
	t.Helper()
	keys := b.mem.Keys()
	inside := slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, "d/x") })
	file, marker := b.get("d") != "-", b.info("d/")
	switch {
	case file && (inside || marker.ETag != ""):
		t.Errorf("d is a file and a directory: %q", keys)
	case errors.Is(made, ErrUnsaved) && !inside && len(b.like("x.conflict-")) == 0:
		t.Errorf("made %v, the bucket has %q", made, keys)
	case (made == nil) != inside && !errors.Is(made, ErrUnsaved):
		t.Errorf("made %v, the bucket has %q", made, keys)
	case d.marker && made == nil && store.ReadPosix(marker.Props.Meta).Mode&0o777 != 0o700:
		t.Errorf("the directory has no mode any more: %q", keys)
	case errors.Is(made, ErrConflicted) && len(b.like("x.conflict-")) != 1:
		t.Errorf("made %v, the bucket has %q", made, keys)
	case d.marker && made != nil && gone != nil && !file && marker.ETag == "":
		t.Errorf("nothing is there: %q", keys)
	}
}

// What another host removed since the kernel here looked is gone, for every call that would bring
// it back without a word.
func TestDirectoryThatIsGone(t *testing.T) {
	mode := uint32(0o700)
	calls := map[string]func(h *host) error{
		"rmdir": func(h *host) error { return h.Rmdir(context.Background(), "d/", nil) },
		"chmod": func(h *host) error { _, err := h.SetAttr(context.Background(), "d/", Change{Mode: &mode}); return err },
	}
	maps.Copy(calls, insiders)
	for name, call := range calls {
		for _, shown := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " shown ", shown), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, newBucket(), newLockTable())
					defer h.stop()
					h.o.Lasting = func(string) bool { return shown }
					h.save("mine", "mine")
					switch err := call(h); {
					case shown && err != nil:
						t.Errorf("in a directory that is shown here: %v", err)
					case !shown && (!errors.Is(err, store.ErrNotFound) || len(h.b.like("d")) > 0):
						t.Errorf("%v, the bucket has %q", err, h.b.mem.Keys())
					}
				})
			})
		}
	}
}

// What another tool keeps under the key of a directory is not a mere marker.
func TestRmdirOfAMarkerWithBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("page/", "<html>")
		err := h.Rmdir(t.Context(), "page/", nil)
		if e, ok := errors.AsType[*NotEmptyError](err); !ok || e.Key != "page/" || !errors.Is(err, ErrNotEmpty) || h.b.get("page/") != "<html>" {
			t.Errorf("rmdir: %v, the bucket has %q", err, h.b.get("page/"))
		}
	})
}

// LOCKS P6: the look that a dead session owed above a new name is repeated. The bytes are kept
// beside the file that the directory has become.
func TestRecoveryLooksAbove(t *testing.T) {
	for _, taken := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b, l := newBucket(), newLockTable()
			h, two := newHost(t, b, l), newHost(t, b, l)
			defer two.stop()
			x := h.open("d/x", "c")
			h.write(x, "mine", 0)
			if taken {
				two.save("d", "theirs")
			}
			b.hang(true)
			go h.close(x)
			synctest.Wait()
			h.died()
			if b.get("d/x") != "mine" {
				t.Fatal("it did not land")
			}
			two.recover(h)
			kept := b.like("x.conflict-")
			switch {
			case taken && (b.get("d") != "theirs" || b.get("d/x") != "-" || len(kept) != 1 || b.get(kept[0]) != "mine"):
				t.Errorf("the bucket has %q", b.mem.Keys())
			case !taken && (b.get("d/x") != "mine" || len(kept) > 0):
				t.Errorf("the bucket has %q", b.mem.Keys())
			}
		})
	}
}

// Nobody gets the name before it is taken back: what he made of it would stay.
func TestRecoveryTakesBackUnderItsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(), newLockTable()
		h, two := newHost(t, b, l), newHost(t, b, l)
		defer two.stop()
		x := h.open("d/x", "c")
		h.write(x, "mine", 0)
		two.save("d", "theirs")
		b.hang(true)
		go h.close(x)
		synctest.Wait()
		h.died()
		changed := make(chan error, 1)
		b.net.Hook(func(op, key string, _ int) faultstore.Fault {
			if op == "Put" && strings.HasPrefix(key, "x.conflict-") {
				mode := uint32(0o600)
				go func() {
					_, err := two.SetAttr(context.Background(), "d/x", Change{Mode: &mode})
					changed <- err
				}()
				time.Sleep(time.Second)
			}
			return faultstore.Fault{}
		})
		two.recover(h)
		if err := <-changed; !errors.Is(err, store.ErrNotFound) || b.get("d/x") != "-" {
			t.Errorf("chmod: %v, the bucket has %q", err, b.mem.Keys())
		}
	})
}

// A file that is only here does not make a directory of what another host has made a file of.
func TestBelowAFileBesideAnUnsavedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("n/x", "c")
		h.b.put("n", "theirs")
		if _, err := h.Mkdir(t.Context(), "n/y/", 0o755, 0, 0); !errors.Is(err, ErrNotDir) || len(h.b.like("n/")) > 0 {
			t.Errorf("mkdir: %v, the bucket has %q", err, h.b.mem.Keys())
		}
		if err := h.close(x); !errors.Is(err, ErrConflicted) || len(h.b.like("n/")) > 0 {
			t.Errorf("close: %v, the bucket has %q", err, h.b.mem.Keys())
		}
	})
}

// What is about to be taken back makes no directory of another host's file either, for nobody.
func TestBelowAFileBesideWhatIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var two *host
		made := make(map[string]error)
		h := whileKept(t, func(h *host) {
			two = newHost(t, h.b, h.locks)
			for name, who := range map[string]*host{"d/y": h, "d/z": two} {
				y, err := who.tryOpen(name, "c")
				if err == nil {
					who.write(y, "not below a file", 0)
					err = who.close(y)
				}
				made[name] = err
			}
		})
		defer h.stop()
		defer two.stop()
		for name, err := range made {
			if !errors.Is(err, ErrNotDir) {
				t.Errorf("create of %s: %v", name, err)
			}
		}
		if len(h.b.like("d/")) > 0 {
			t.Errorf("the bucket has %q", h.b.mem.Keys())
		}
	})
}

// What other tools have put below an object makes a directory of it, also while it is written here.
func TestBelowAFileOfOtherTools(t *testing.T) {
	for _, how := range []string{"foreign", "foreign and open", "made by a mount"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				defer h.stop()
				if how == "made by a mount" {
					h.save("d/x", "ours")
					time.Sleep(time.Minute)
				} else {
					h.b.put("d/x", "theirs")
				}
				h.b.put("d", "theirs")
				if how == "foreign and open" {
					defer h.open("d/x", "r+").Release()
				}
				h.save("d/y", "ours")
				if h.b.get("d/y") != "ours" || h.b.get("d/x") == "-" {
					t.Errorf("the bucket has %q", h.b.mem.Keys())
				}
			})
		})
	}
}

// Nor do two names make a directory of it whose looks above a dead session owed.
func TestRecoveryLooksAboveTwoNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(), newLockTable()
		h, two := newHost(t, b, l), newHost(t, b, l)
		defer two.stop()
		var open []*Handle
		for _, name := range []string{"d/x", "d/y"} {
			x := h.open(name, "c")
			h.write(x, "mine", 0)
			open = append(open, x)
		}
		two.save("d", "theirs")
		b.hang(true)
		for _, x := range open {
			go h.close(x)
		}
		synctest.Wait()
		h.died()
		if len(b.like("d/")) != 2 {
			t.Fatal("they did not land")
		}
		two.recover(h)
		if len(b.like("d/")) > 0 || len(b.like(".conflict-")) != 2 || b.get("d") != "theirs" {
			t.Errorf("the bucket has %q", b.mem.Keys())
		}
	})
}
