package file

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

const (
	// unknownWait is how long unlink, rename and the like wait for an outcome that has
	// become unknown: they stand under the kernel's lock of the directory (LOCKS P4.2).
	unknownWait = time.Second
	// reachWait is how long they try to reach the store, or wait for the next progress of a
	// large copy.
	reachWait = 10 * time.Second
)

// A mutation is one request that changes the bucket and has no bytes in the spool.
type mutation func(ctx context.Context, p store.Permit, w waiter) error

// A waiter waits for a mutation and is told how it goes.
type waiter struct {
	unanswered func(error) // the outcome of an attempt has become unknown
	progress   func(n int64)
}

// settle runs a mutation of the keys under the permit and calls release once its outcome is
// known. The caller does not wait for that longer than the limits above: then it gets an
// error, nothing is sent any more, and the rest goes on behind with the leases held. They
// are kept for good if the table ends before the outcome is known.
func (t *Table) settle(keys []string, permit store.Permit, run mutation, release func(keep bool)) error {
	p := &revocable{Permit: permit, why: "nobody waits for it any more"}
	unknown := make(chan struct{})
	var once sync.Once
	done := make(chan error, 1)
	patience := startPatience(reachWait, func(*patience) {})
	defer patience.stop()
	w := waiter{
		unanswered: func(error) { once.Do(func() { close(unknown) }) },
		progress:   func(int64) { patience.reset() },
	}
	t.work.Go(func() {
		err := run(t.background, p, w)
		keep := errors.Is(err, store.ErrUnknownOutcome)
		if keep {
			t.unknown(keys)
		}
		release(keep)
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-patience.over():
	case <-unknown:
		timer := time.NewTimer(unknownWait)
		defer timer.Stop()
		select {
		case err := <-done:
			return err
		case <-timer.C:
		}
	}
	p.revoked.Store(true)
	return store.ErrUnknownOutcome
}

// journalled runs a request whose bytes, if it has any, are not in the spool. Should this
// process die meanwhile, whoever recovers it finds in the journal that it may still land.
func (t *Table) journalled(op spool.Op, request func() error) error {
	end, err := t.o.Spool.Begin(op)
	if err != nil {
		return err
	}
	err = request()
	if !errors.Is(err, store.ErrUnknownOutcome) {
		end()
	}
	return err
}

// put is Put, journalled.
func (t *Table) put(ctx context.Context, p store.Permit, w store.Write, b store.Body) (info store.Info, err error) {
	err = t.journalled(spool.Op{ID: w.ID, Key: w.Key, Base: w.Base, Kind: "put"}, func() (err error) {
		info, err = t.o.Objects.Put(ctx, p, w, b)
		return err
	})
	if err == nil {
		t.changed(w.Key, &info)
	}
	return info, err
}

// delete is Delete, journalled.
func (t *Table) delete(ctx context.Context, p store.Permit, key string, base store.Base, unanswered func(error)) error {
	return t.journalled(spool.Op{ID: store.NewWriteID(), Key: key, Base: base, Kind: "delete"}, func() error {
		return t.o.Objects.Delete(ctx, p, store.Deletion{Key: key, Base: base, Unanswered: unanswered})
	})
}

// staleConflict tells whoever asked for a change of names to look at them again.
func staleConflict(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%w: %w", ErrStale, err)
	}
	return err
}

// unknown notes keys whose outcome nobody will learn in this process.
func (t *Table) unknown(keys []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range keys {
		t.lost = append(t.lost, Left{Key: key, Reason: "the outcome of the last request is unknown", Unanswered: true})
	}
}

// revocable is a permit that its owner can end.
type revocable struct {
	store.Permit
	why     string // it was ended
	revoked atomic.Bool
}

// Check is that of the permit until it was ended.
func (p *revocable) Check() error {
	if p.revoked.Load() {
		return fmt.Errorf("%w: %s", store.ErrNotPermitted, p.why)
	}
	return p.Permit.Check()
}

// both is the permit of what needs two leases.
type both [2]store.Permit

// Check fails if that of either does.
func (b both) Check() error {
	for _, p := range b {
		if err := p.Check(); err != nil {
			return err
		}
	}
	return nil
}

// lockName takes the op slot of a file for an operation on its name.
func (f *File) lockName(ctx context.Context, key string) error {
	if err := f.lockOpFor(ctx, key, NameWait); err != nil {
		return err
	}
	f.mu.Lock()
	err := f.named(key)
	f.mu.Unlock()
	if err != nil {
		f.unlockOp()
	}
	return err
}

// lockOpFor takes the op slot, waiting at most wait for whoever has it. Then it fails with
// *lockmgr.HeldError.
func (f *File) lockOpFor(ctx context.Context, key string, wait time.Duration) error {
	select {
	case f.op <- struct{}{}:
		return nil
	default:
	}
	began := time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case f.op <- struct{}{}:
		return nil
	case <-timer.C:
		return &lockmgr.HeldError{Key: key, Host: f.t.o.Host, Since: began, Waited: wait}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// giveBack ends the use of a name: its lease, unless that has to be kept, and the file.
// f.op is held.
func (f *File) giveBack(h *hold, keep bool) {
	if !keep {
		h.release(0)
	}
	f.unlockOp()
	f.leave()
}
