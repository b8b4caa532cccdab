package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

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
