package file

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// A close or fsync whose caller is being killed is answered at once, also while another commit
// holds the file; the work goes on.
func TestKilledCallerDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		healed := make(chan struct{})
		h.b.before("Put", "a", func() faultstore.Fault {
			<-healed
			return faultstore.Fault{}
		})
		x := h.open("a", "c")
		h.write(x, "text", 0)
		ctx, kill := context.WithCancel(context.Background())
		first, second := make(chan error), make(chan error)
		began := time.Now()
		go func() { first <- x.Sync(ctx) }()
		synctest.Wait()
		go func() { second <- x.Flush(ctx, caller) }()
		synctest.Wait()
		kill()
		for _, c := range []chan error{first, second} {
			if err := <-c; !errors.Is(err, context.Canceled) {
				t.Errorf("answered %v", err)
			}
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("answered after %v", d)
		}
		close(healed)
		synctest.Wait()
		if h.b.get("a") != "text" {
			t.Errorf("the work did not go on: %q", h.b.get("a"))
		}
		if err := h.close(x); err != nil || h.b.versions("a") != 1 {
			t.Errorf("close by another process that shares the descriptor: %v, %d versions", err, h.b.versions("a"))
		}
	})
}

// Who shares the descriptor with a process that was killed while it waited is told that the
// commit failed, as everybody else is (I8).
func TestKilledCallerIsNotTheOneWhoIsTold(t *testing.T) {
	for _, wrote := range []bool{true, false} { // the one who is killed
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			defer h.stop()
			x := h.open("a", "c")
			h.write(x, "text", 0)
			y := h.open("a", "r+")
			fail := make(chan struct{})
			h.b.before("Put", "a", func() faultstore.Fault {
				<-fail
				return refusal
			})
			ctx, kill := context.WithCancel(context.Background())
			killed, synced := y, make(chan error)
			if wrote {
				killed = x
			}
			go func() { synced <- killed.Sync(ctx) }()
			synctest.Wait()
			kill()
			<-synced
			close(fail)
			synctest.Wait()
			for _, d := range []*Handle{x, y} {
				if err := h.close(d); !errors.Is(err, store.ErrAccessDenied) {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
}

// An outcome that comes in the moment in which the caller's time is over is told to him.
func TestOutcomeInTheLastMoment(t *testing.T) {
	for _, want := range []error{nil, store.ErrAccessDenied} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			defer h.stop()
			x := h.open("a", "c")
			h.write(x, "text", 0)
			if want != nil {
				h.b.refuse()
			}
			f := x.f
			f.mu.Lock()
			m, err := f.seal()
			if err != nil {
				t.Fatal(err)
			}
			wait := f.ask(m, x)
			f.unlock()
			synctest.Wait()
			if err := f.unsaved(m, wait, x); !errors.Is(err, want) {
				t.Errorf("told %v, want %v", err, want)
			}
			x.Release()
		})
	}
}
