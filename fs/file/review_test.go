package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/wait"
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

// A file that was made here and is not in the bucket yet can be opened for write again after
// its lease was lost and had anew.
func TestOpenOfANewFileAfterALostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("f", "c")
		h.write(x, "text", 0)
		x.f.lockOp(t.Context()) // the open finds the file before its watcher has looked
		h.locks.lose("f")
		opened := make(chan error)
		var y *Handle
		go func() {
			var err error
			y, err = h.tryOpen("f", "r+")
			opened <- err
		}()
		synctest.Wait()
		x.f.unlockOp()
		if err := <-opened; err != nil {
			t.Fatalf("open: %v", err)
		}
		if got := h.read(y); got != "text" {
			t.Errorf("it shows %q", got)
		}
		if err := errors.Join(h.close(y), h.close(x)); err != nil {
			t.Error(err)
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

// uploading is a bucket that makes each object by an upload. While the server is out of reach
// it takes no more and aborts nothing.
type uploading struct {
	*bucket
	mu      sync.Mutex
	away    bool
	n       int
	uploads map[string]bool
}

func (u *uploading) Put(ctx context.Context, p store.Permit, w store.Write, b store.Body) (store.Info, error) {
	u.mu.Lock()
	u.n++
	id := fmt.Sprint("upload-", u.n)
	u.uploads[id] = true
	away := u.away
	u.mu.Unlock()
	if err := w.Uploading(id); err != nil {
		return store.Info{}, err
	}
	if away {
		<-ctx.Done()
		return store.Info{}, store.ErrUnavailable
	}
	i, err := u.bucket.Put(ctx, p, w, b)
	return i, errors.Join(err, u.AbortUpload(ctx, w.Key, id)) // there is none any more
}

func (u *uploading) answer() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.away = false
}

func (u *uploading) AbortUpload(ctx context.Context, _, upload string) error {
	for {
		u.mu.Lock()
		away := u.away
		if !away {
			delete(u.uploads, upload)
		}
		u.mu.Unlock()
		if !away {
			return nil
		}
		if !wait.For(ctx, time.Second, nil) {
			return context.Cause(ctx)
		}
	}
}

// LOCKS P6: an upload that was given up and could not be aborted is aborted by the recovery,
// or by this process when the server answers again.
func TestUploadThatCouldNotBeAborted(t *testing.T) {
	for _, crash := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			u := &uploading{bucket: h.b, away: true, uploads: map[string]bool{}}
			h.o.Objects = u
			if crash {
				x := h.open("f", "c")
				h.write(x, "text", 0)
				go h.close(x)
				synctest.Wait()
				h.died()
				u.answer()
				n := newHost(t, h.b, h.locks)
				defer n.stop()
				n.o.Objects = u
				if left := n.recover(h); len(left) != 0 {
					t.Errorf("left %+v", left)
				}
				if h.b.get("f") != "text" {
					t.Errorf("f is %q", h.b.get("f"))
				}
			} else {
				ctx, giveUp := context.WithTimeout(t.Context(), time.Second)
				defer giveUp()
				w := store.Write{Key: "f", ID: store.NewWriteID()}
				if _, err := h.put(ctx, store.Unleased("a test"), w, store.Body{ReaderAt: strings.NewReader("")}); !errors.Is(err, store.ErrUnavailable) {
					t.Fatal(err)
				}
				u.answer()
				if left, err := h.Shutdown(t.Context()); err != nil || len(left) != 0 {
					t.Errorf("left %+v, %v", left, err)
				}
			}
			if len(u.uploads) != 0 {
				t.Errorf("uploads left: %v", u.uploads)
			}
		})
	}
}

// cancelling is a bucket whose history cannot be seen before the caller gives up.
type cancelling struct{ *bucket }

func (cancelling) Below(ctx context.Context, _, _ string) (store.Version, error) {
	<-ctx.Done()
	return store.Version{}, context.Cause(ctx)
}

// LOCKS P5: an unmount that cuts the look below short does not answer for it: the recovery
// looks.
func TestLookBelowCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.put("a", "base")
		h.o.Objects = cancelling{h.b}
		log := h.logged()
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.cutOff("a")
		go h.close(x)
		synctest.Wait()
		h.died()
		h.healLocks()
		if bytes.Contains(log.Bytes(), []byte("cannot be seen")) {
			t.Errorf("log: %s", log)
		}
		r, err := h.Recovery(h.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if len(r.scan.Files) != 1 || len(r.scan.Files[0].Seals) != 1 || !r.scan.Files[0].Seals[0].Unleased {
			t.Errorf("the recovery finds %+v", r.scan.Files)
		}
	})
}

// A seal of which nobody knows what it follows replaces nothing.
func TestRecoveryOfASealWithoutItsBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		local, err := h.spool.Create(spool.Header{Key: "f"})
		if err != nil {
			t.Fatal(err)
		}
		if err := local.WriteAt([]byte("text"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := local.Seal(spool.Seal{ID: "two", After: "one"}); err != nil {
			t.Fatal(err)
		}
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.recover(h)
		if kept := h.b.like("f.conflict-"); h.b.get("f") != "-" || len(kept) != 1 {
			t.Errorf("f is %q, kept %v", h.b.get("f"), kept)
		}
	})
}

// An open for write that waits for a lease that was lost does not keep the file from what a lost
// lease asks for: its next write fails, and the bytes are kept.
func TestOpenDoesNotDelayTheConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(), newLockTable()
		h := newHost(t, b, l)
		defer h.stop()
		b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		x.f.lockOp(t.Context())
		l.lose("a")
		theirs, err := l.Acquire(t.Context(), "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		opened := make(chan error, 1)
		go func() {
			y, err := h.tryOpen("a", "r+")
			if err == nil {
				err = h.close(y)
			}
			opened <- err
		}()
		synctest.Wait()
		x.f.unlockOp()
		began := time.Now()
		if err := h.close(x); !errors.Is(err, ErrConflicted) || time.Since(began) > 5*time.Second {
			t.Errorf("close: %v after %v", err, time.Since(began))
		}
		theirs.Release()
		if err := <-opened; err != nil && !errors.Is(err, ErrStale) {
			t.Errorf("open: %v", err)
		}
	})
}

// With the lock table out of reach, an open for write that waits for it does not keep the
// commit of the file from its attempt.
func TestOpenDoesNotDelayTheSingleAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.locks.mu.Lock()
		h.locks.held["a"].expired = true
		h.locks.mu.Unlock()
		opened := make(chan error)
		go func() {
			y, err := h.tryOpen("a", "r+")
			if err == nil {
				err = h.close(y)
			}
			opened <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := x.Sync(t.Context()); err != nil || h.b.get("a") != "ours" || time.Since(began) > h.o.FlushTimeout*3/4 {
			t.Errorf("fsync: %v after %v, a is %q", err, time.Since(began), h.b.get("a"))
		}
		h.locks.mu.Lock()
		h.locks.held["a"].expired = false
		h.locks.mu.Unlock()
		if err := errors.Join(<-opened, h.close(x)); err != nil {
			t.Error(err)
		}
	})
}

// slow is a bucket whose HEAD takes its time.
type slow struct {
	*bucket
	asked, answer chan struct{}
}

func (s slow) Head(ctx context.Context, key, version string) (store.Info, error) {
	s.asked <- struct{}{}
	<-s.answer
	return s.bucket.Head(ctx, key, version)
}

// SEMANTICS G5: an open that ends after the table has ended accepts nothing: what is in its
// spool is only looked for if the table's last word names it.
func TestOpenDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.put("f", "base")
		s := slow{h.b, make(chan struct{}), make(chan struct{})}
		h.o.Objects = s
		opened := make(chan error)
		go func() {
			x, err := h.tryOpen("f", "r+")
			if err == nil {
				_, err = x.Write([]byte("text"), 0)
			}
			opened <- err
		}()
		<-s.asked
		left, err := h.Shutdown(t.Context())
		if err != nil || len(left) != 0 {
			t.Fatalf("shutdown: %v, %v", left, err)
		}
		close(s.answer)
		if err := <-opened; !errors.Is(err, ErrClosed) {
			t.Errorf("open and write: %v", err)
		}
	})
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

// failing is a bucket whose uploads fail.
type failing struct {
	*bucket
	err error
}

func (f failing) Put(context.Context, store.Permit, store.Write, store.Body) (store.Info, error) {
	return store.Info{}, f.err
}

// SEMANTICS G5: what close or fsync says is kept in the spool survives a power cut, whatever it
// fails with.
func TestFailedSaveIsSynced(t *testing.T) {
	for _, refusal := range []error{store.ErrAccessDenied, store.ErrUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			defer h.stop()
			h.o.Objects = failing{h.b, refusal}
			x := h.open("f", "c")
			h.write(x, "text", 0)
			if err := x.Sync(t.Context()); !errors.Is(err, refusal) {
				t.Fatalf("fsync: %v", err)
			}
			journal, err := os.ReadFile(filepath.Join(h.dir, "f-000001", "journal"))
			if err != nil || !bytes.Contains(journal, []byte(`"Upto":`)) {
				t.Errorf("%v: the journal does not say that it was synced (%v)", refusal, err)
			}
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

// While a conflict file is being made nobody is told that there was nothing to keep, and the
// name is free for others.
func TestConflictUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("f", "base")
		x := h.open("f", "r+")
		h.write(x, "ours", 0)
		h.b.put("f", "theirs")
		kept := make(chan struct{})
		h.b.net.Hook(func(op, key string, _ int) faultstore.Fault {
			if op == "Put" && key != "f" {
				<-kept
			}
			return faultstore.Fault{}
		})
		closed := make(chan error)
		go func() { closed <- x.Flush(t.Context(), caller) }()
		synctest.Wait()
		if _, err := x.Write([]byte("more"), 0); !errors.Is(err, ErrConflicted) || strings.Contains(err.Error(), "empty") {
			t.Errorf("write: %v", err)
		}
		if h.locks.holds("f") {
			t.Error("the name is not free meanwhile")
		}
		close(kept)
		if err := <-closed; !errors.Is(err, ErrConflicted) || !strings.Contains(err.Error(), "kept as") {
			t.Errorf("close: %v", err)
		}
		x.Release()
	})
}
