package file

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// LOCKS P2: "n" and "n/" are one name with one lease. Whatever two hosts make of it in the same
// moment, there is one thing under it.
func TestOneNameOneThing(t *testing.T) {
	ctx := context.Background()
	makers := map[string]func(h *host) error{
		"mkdir":   func(h *host) error { _, err := h.Mkdir(ctx, "n/", 0o755, 0, 0); return err },
		"symlink": func(h *host) error { _, err := h.Symlink(ctx, SymlinkRequest{Key: "n", Target: "target"}); return err },
		"create": func(h *host) error {
			x, err := h.tryOpen("n", "c")
			if err == nil {
				err = h.close(x)
			}
			return err
		},
		"rename": func(h *host) error {
			h.b.put("from", "x")
			return h.Rename(ctx, "from", "n", true, nil)
		},
	}
	for one := range makers {
		for two := range makers {
			t.Run(one+" and "+two, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, l := newBucket(), newLockTable()
					hosts := []*host{newHost(t, b, l), newHost(t, b, l)}
					errs := make(chan error)
					for i, what := range []string{one, two} {
						go func() { errs <- makers[what](hosts[i]) }()
					}
					won := 0
					for range hosts {
						err := <-errs
						_, held := errors.AsType[*lockmgr.HeldError](err)
						switch {
						case err == nil:
							won++
						case !errors.Is(err, fs.ErrExist) && !errors.Is(err, ErrIsDir) && !errors.Is(err, store.ErrNotFound) && !held:
							t.Errorf("failed with %v", err)
						}
					}
					if won != 1 || b.get("n") != "-" && b.get("n/") != "-" {
						t.Errorf("%d made it; n is %q, n/ is %q", won, b.get("n"), b.get("n/"))
					}
					for _, h := range hosts {
						h.stop()
					}
				})
			})
		}
	}
}

// What another host made of a name since the kernel here looked is seen under the lease.
func TestNamesThatAnotherHostChanged(t *testing.T) {
	ctx := context.Background()
	mode := uint32(0o700)
	for _, c := range []struct {
		name string
		keys []string // what another host has made
		do   func(h *host) error
		want error
	}{
		{"mkdir over a file", []string{"n"}, func(h *host) error { _, err := h.Mkdir(ctx, "n/", 0o755, 0, 0); return err }, fs.ErrExist},
		{"mkdir over a directory", []string{"n/"}, func(h *host) error { _, err := h.Mkdir(ctx, "n/", 0o755, 0, 0); return err }, fs.ErrExist},
		{"mkdir over a directory without a marker", []string{"n/x"}, func(h *host) error { _, err := h.Mkdir(ctx, "n/", 0o755, 0, 0); return err }, fs.ErrExist},
		{"mkdir in a file", []string{"n"}, func(h *host) error { _, err := h.Mkdir(ctx, "n/x/", 0o755, 0, 0); return err }, ErrNotDir},
		{"create over a directory", []string{"n/x"}, func(h *host) error { _, err := h.tryOpen("n", "c"); return err }, fs.ErrExist},
		{"create in a file", []string{"n"}, func(h *host) error { _, err := h.tryOpen("n/x", "c"); return err }, ErrNotDir},
		{"create beside a file with the name of its directory", []string{"n", "n/y"}, func(h *host) error { _, err := h.tryOpen("n/x", "c"); return err }, nil},
		{"symlink over a directory", []string{"n/"}, func(h *host) error { _, err := h.Symlink(ctx, SymlinkRequest{Key: "n", Target: "t"}); return err }, fs.ErrExist},
		{"symlink in a file", []string{"n"}, func(h *host) error { _, err := h.Symlink(ctx, SymlinkRequest{Key: "n/x", Target: "t"}); return err }, ErrNotDir},
		{"rename over a directory", []string{"a", "n/"}, func(h *host) error { return h.Rename(ctx, "a", "n", false, nil) }, ErrIsDir},
		{"rename into a file", []string{"a", "n"}, func(h *host) error { return h.Rename(ctx, "a", "n/x", false, nil) }, ErrNotDir},
		{"rename over the file of a name that is both", []string{"a", "n", "n/x"}, func(h *host) error { return h.Rename(ctx, "a", "n", false, nil) }, nil},
		{"unlink of a directory", []string{"n/"}, func(h *host) error { return h.Unlink(ctx, "n", nil) }, ErrIsDir},
		{"rmdir of a file", []string{"n"}, func(h *host) error { return h.Rmdir(ctx, "n/", nil) }, ErrNotDir},
		{"rmdir of a directory that is not empty", []string{"n/", "n/x"}, func(h *host) error { return h.Rmdir(ctx, "n/", nil) }, ErrNotEmpty},
		{"chmod of a directory that has become a file", []string{"n"}, func(h *host) error { _, err := h.SetAttr(ctx, "n/", Change{Mode: &mode}); return err }, ErrNotDir},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				defer h.stop()
				for _, key := range c.keys {
					h.b.put(key, "theirs")
				}
				if err := c.do(h); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if c.want == nil {
					return
				}
				if got := h.b.like(""); len(got) != len(c.keys) {
					t.Errorf("the bucket has %v, had %v", got, c.keys)
				}
			})
		})
	}
}

// scant is a bucket whose listings have one key on a page, however many are asked for.
type scant struct{ *bucket }

func (s scant) List(ctx context.Context, o store.ListOptions) (store.ListPage, error) {
	o.Max = 1
	return s.bucket.List(ctx, o)
}

// A page with fewer keys than were asked for is not the last one.
func TestRmdirReadsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.o.Objects = scant{h.b}
		h.b.put("n/", "")
		h.b.put("n/x", "theirs")
		if err := h.Rmdir(t.Context(), "n/", nil); !errors.Is(err, ErrNotEmpty) || h.b.get("n/") != "" {
			t.Errorf("rmdir: %v, n/ is %q", err, h.b.get("n/"))
		}
	})
}

// Within one host: what is made here and not in the bucket yet has the name too.
func TestMkdirOverAnUnsavedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("n", "c")
		if _, err := h.Mkdir(t.Context(), "n/", 0o755, 0, 0); !errors.Is(err, fs.ErrExist) {
			t.Errorf("mkdir: %v", err)
		}
		if err := h.close(x); err != nil {
			t.Error(err)
		}
	})
}

// LOCKS P4.2: a DELETE whose answer was lost may still land. Its lease is kept until that is
// over, also against users on this host, although the caller was answered.
func TestLateDeleteKeepsItsName(t *testing.T) {
	for _, what := range []string{"unlink", "rename"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			defer h.stop()
			h.b.put("a", "text")
			h.b.net.On("Delete").LoseReply()
			var err error
			if what == "unlink" {
				err = h.Unlink(context.Background(), "a", nil)
			} else {
				err = h.Rename(context.Background(), "a", "b", false, nil)
			}
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if !h.locks.holds("a") {
				t.Error("the lease was released while the request may still land")
			}
			_, err = h.tryOpen("a", "c")
			if _, held := errors.AsType[*lockmgr.HeldError](err); !held {
				t.Errorf("the name was made again: %v", err)
			}
			time.Sleep(time.Minute)
			h.save("a", "text")
			if h.b.get("a") != "text" {
				t.Errorf("a is %q", h.b.get("a"))
			}
		})
	}
}
