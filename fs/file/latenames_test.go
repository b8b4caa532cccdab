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
	"github.com/latchfs/latchfs/store/faultstore"
)

// A File that a caller uses stays in the table, whoever else has opened and closed it before:
// else the next open would make a second File of one key.
func TestOneFileForOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("f", "base")
		r := h.open("f", "r")
		if err := h.close(h.open("f", "r+")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f, err := h.enter("f")
		if err != nil {
			t.Fatal(err)
		}
		h.close(r)
		g, err := h.enter("f")
		if err != nil {
			t.Fatal(err)
		}
		if f != g {
			t.Errorf("two files of one key; users %d", f.users)
		}
		f.leave()
		g.leave()
		if len(h.files) != 0 {
			t.Error("the file stays")
		}
	})
}

// A change by name waits for its commit unless a handle will answer for it: another change by
// name does not.
func TestChangesByNameAnswerForThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("f", "base")
		refuse := make(chan struct{})
		h.b.before("Copy", "f", func() faultstore.Fault {
			<-refuse
			return refusal
		})
		answers := make(chan error, 2)
		for _, mode := range []uint32{0o600, 0o640} {
			go func() {
				_, err := h.SetAttr(t.Context(), "f", Change{Mode: &mode})
				answers <- err
			}()
			synctest.Wait()
		}
		close(refuse)
		for range cap(answers) {
			if err := <-answers; !errors.Is(err, store.ErrAccessDenied) {
				t.Errorf("chmod of what is refused: %v", err)
			}
		}
	})
}

// LOCKS P4.2: the lease of a DELETE that may still land is kept also if it was lost meanwhile:
// nobody here makes the name again under another one.
func TestLateDeleteKeepsItsNameAfterALostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("f", "text")
		h.b.net.On("Delete").LoseReply()
		if err := h.Unlink(t.Context(), "f", nil); err != nil {
			t.Fatal(err)
		}
		h.locks.lose("f")
		synctest.Wait()
		_, err := h.tryOpen("f", "c")
		if _, held := errors.AsType[*lockmgr.HeldError](err); !held {
			t.Errorf("the name was made again: %v", err)
		}
		time.Sleep(time.Minute) // until nothing of it can land
		h.save("f", "text")
	})
}

// LOCKS P2: while a mkdir whose answer was lost may still land, nobody here makes a file of the
// name: both have one lease, but a File each.
func TestLateMkdirKeepsItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.net.On("Put").Key("n/").Hang()
		if _, err := h.Mkdir(t.Context(), "n/", 0o755, 0, 0); !errors.Is(err, store.ErrUnknownOutcome) {
			t.Fatalf("mkdir: %v", err)
		}
		x, err := h.tryOpen("n", "c")
		if _, held := errors.AsType[*lockmgr.HeldError](err); !held {
			t.Errorf("create: %v", err)
			h.close(x)
		}
		time.Sleep(time.Minute) // until nothing of it can land
		if h.locks.holds("n") {
			t.Error("the lease is left")
		}
	})
}

// The same for the target of a rename whose copy may still land.
func TestLateRenameKeepsItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "text")
		h.b.net.On("Copy").Key("n").Hang()
		if err := h.Rename(t.Context(), "a", "n", false, nil); !errors.Is(err, store.ErrUnknownOutcome) {
			t.Fatalf("rename: %v", err)
		}
		_, err := h.Mkdir(t.Context(), "n/", 0o755, 0, 0)
		if _, held := errors.AsType[*lockmgr.HeldError](err); !held {
			t.Errorf("mkdir: %v", err)
		}
		time.Sleep(time.Minute) // until nothing of it can land
		if h.locks.holds("a") || h.locks.holds("n") {
			t.Error("leases are left")
		}
	})
}

// LOCKS P3: a name operation that finds another version under the key of a live file puts it
// into conflict, whoever wrote; the next try is about what is there.
func TestNamesOverAForeignWrite(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(h *host) error
	}{
		{"unlink", func(h *host) error { return h.Unlink(context.Background(), "a", nil) }},
		{"rename", func(h *host) error { return h.Rename(context.Background(), "a", "b", false, nil) }},
		{"rename over it", func(h *host) error { return h.Rename(context.Background(), "c", "a", false, nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				defer h.stop()
				h.b.put("a", "base")
				h.b.put("c", "c")
				x := h.open("a", "r+")
				h.b.put("a", "theirs")
				if err := c.do(h); !errors.Is(err, ErrStale) {
					t.Fatalf("%v", err)
				}
				synctest.Wait()
				if _, err := x.Write([]byte("ours"), 0); !errors.Is(err, ErrConflicted) {
					t.Errorf("write through the handle: %v", err)
				}
				if err := c.do(h); err != nil {
					t.Errorf("again: %v", err)
				}
				h.close(x)
			})
		})
	}
}

// LOCKS P2: a file that was made here becomes no version once another host has made a
// directory of its name, which it could because the lease was lost.
func TestLostNameBecameADirectory(t *testing.T) {
	for _, what := range []string{"lease had again", "no lock table", "recovery"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				x := h.open("n", "c")
				h.write(x, "ours", 0)
				var err error
				switch what {
				case "lease had again":
					h.b.put("n/", "")
					h.locks.lose("n")
					err = h.close(x)
				case "no lock table":
					h.b.put("n/", "")
					h.cutOff("n")
					err = h.close(x)
				case "recovery":
					h.b.hang(false)
					go h.close(x)
					synctest.Wait()
					h.died()
					h.b.put("n/", "")
					n := newHost(t, h.b, h.locks)
					defer n.stop()
					n.recover(h)
					err = ErrConflicted
				}
				synctest.Wait() // a close that comes while the file is being kept is told at once
				if kept := h.b.like("n.conflict-"); !errors.Is(err, ErrConflicted) || h.b.get("n") != "-" || len(kept) != 1 {
					t.Errorf("close: %v; n is %q, kept %v", err, h.b.get("n"), kept)
				}
				h.stop()
			})
		})
	}
}

// LOCKS P2: create looks at what is inside its name also while somebody else's failed change
// of it has not ended.
func TestCreateJoinsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("n/x", "theirs")
		f, err := h.begin(t.Context(), "n", 0, nil, func(store.Base) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.tryOpen("n", "c"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create: %v", err)
		}
		f.done()
		f.leave()
	})
}
