package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// A Recovery saves what a dead session left in its spool (LOCKS P6).
type Recovery struct {
	t     *Table
	scan  *spool.Scan
	began time.Time // when the session was known to be dead
}

// Recovery reads the spool directory of a session that is proved dead. Corrupt journals
// are set aside in it.
func (t *Table) Recovery(dir string) (*Recovery, error) {
	scan, err := spool.ScanDir(dir, nil)
	if err != nil {
		return nil, err
	}
	for name, err := range scan.Bad {
		t.o.Log.Error("a spool file cannot be read and is kept aside", "dir", dir, "name", name, "err", err)
	}
	return &Recovery{t: t, scan: scan, began: time.Now()}, nil
}

// Unanswered tells whether a request of the dead session for the key may still land: its
// lock is not free before the quiet time is over.
func (r *Recovery) Unanswered(key string) bool { return r.scan.Unanswered(key) }

// Close gives up a recovery that is not run, or not run to its end.
func (r *Recovery) Close() { r.scan.Close() }

// Run saves everything: what was sealed under its own name, if nobody else wrote, else as
// a conflict file; what was never asked to be saved as a .recovered- file. It returns what
// it could not save, which stays in the spool. The locks of the dead session must have
// been taken over before (lockmgr.Manager.Takeover).
func (r *Recovery) Run(ctx context.Context) (left []Left, err error) {
	for _, f := range r.scan.Files {
		if ferr := r.file(ctx, f); ferr != nil {
			l := Left{Key: f.Key, Reason: ferr.Error(), Unanswered: errors.Is(ferr, store.ErrUnknownOutcome)}
			if last := f.Last(); last != nil {
				l.Bytes = last.Local()
			}
			left = append(left, l)
			err = errors.Join(err, fmt.Errorf("recovering %q: %w", f.Key, ferr))
		}
	}
	for _, op := range r.scan.Ops {
		if oerr := r.outlive(ctx, op.Key); oerr != nil {
			left = append(left, Left{Key: op.Key, Reason: oerr.Error(), Unanswered: true})
			err = errors.Join(err, fmt.Errorf("settling the last %s of %q: %w", op.Kind, op.Key, oerr))
		}
	}
	for name, berr := range r.scan.Bad {
		left = append(left, Left{Key: name, Reason: berr.Error()})
	}
	return left, err
}

// outlive waits until no request of the dead session for the key can land any more: then
// its lease can be had. Nothing else is to be done for it.
func (r *Recovery) outlive(ctx context.Context, key string) error {
	name, err := r.t.reserve(ctx, key)
	if err != nil {
		return err
	}
	defer name.leave()
	defer name.unlockOp()
	hold, err := r.t.leases.acquire(ctx, key, r.t.o.LockTimeout)
	if err != nil {
		return err
	}
	hold.release(0)
	return nil
}

// file saves one file and drops it from the spool.
func (r *Recovery) file(ctx context.Context, f *spool.Found) error {
	switch gone, err := r.unlinked(ctx, f); {
	case err != nil:
		return err
	case gone:
		return f.Drop()
	case f.Unlinked:
		// The name was to be removed and was not; nobody asked for these bytes under it.
		if last := f.Last(); last != nil {
			if err := r.keep(ctx, f, *last); err != nil {
				return err
			}
		}
		return f.Drop()
	}
	for conflict := false; len(f.Seals) > 0; {
		s := f.Seals[0]
		if conflict { // what it follows is not under the name
			if err := r.conflict(ctx, f, s); err != nil {
				return err
			}
			f.Seals = f.Seals[1:]
			continue
		}
		info, err := r.sealed(ctx, f, s)
		if err != nil {
			return err
		}
		if info == nil {
			conflict = true
			f.Seals = f.Seals[1:]
			continue
		}
		f.Landed(s.ID, info.Base())
	}
	if f.Tail != nil {
		if err := r.keep(ctx, f, *f.Tail); err != nil {
			return err
		}
	}
	return f.Drop()
}

// unlinked tells whether the file was about to be unlinked and its object is gone.
func (r *Recovery) unlinked(ctx context.Context, f *spool.Found) (bool, error) {
	if !f.Unlinked {
		return false, nil
	}
	_, err := r.t.o.Objects.Head(ctx, f.Key, "")
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// sealed commits a seal under its original base, unless it is in the bucket already. It
// returns the version that it became, nil if it had to go into a conflict file.
func (r *Recovery) sealed(ctx context.Context, f *spool.Found, s *spool.FoundSeal) (*store.Info, error) {
	name, err := r.t.reserve(ctx, f.Key)
	if err != nil {
		return nil, err
	}
	defer name.leave()
	defer name.unlockOp()
	hold, err := r.t.leases.acquire(ctx, f.Key, r.t.o.LockTimeout)
	if err != nil {
		return nil, err
	}
	unanswered := false
	defer func() {
		if unanswered { // and this process ends: whoever takes the lease waits
			r.t.unknown([]string{f.Key})
			return
		}
		hold.release(0)
	}()
	if s.Attempted {
		// The lease told so already, unless the dead session had lost it: it may have made
		// its single attempt.
		if err := pause(ctx, time.Until(r.began.Add(r.t.o.Quiet)), nil); err != nil {
			return nil, err
		}
	}
	settled, err := r.t.o.Objects.Settle(ctx, f.Key, s.ID, s.Base)
	if err != nil {
		return nil, err
	}
	switch settled.Outcome {
	case store.Landed:
		return &settled.Current, nil
	case store.Unchanged:
		info, err := r.commit(ctx, hold, f, s)
		unanswered = errors.Is(err, store.ErrUnknownOutcome) && ctx.Err() != nil
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, reader.ErrChanged) {
			return info, err
		}
	}
	return nil, r.conflict(ctx, f, s)
}

// conflict keeps a seal beside the file that somebody else changed.
func (r *Recovery) conflict(ctx context.Context, f *spool.Found, s *spool.FoundSeal) error {
	if s.Copy || s.Size() == 0 && s.Base.Absent() {
		r.t.o.Log.Warn("a change was not recovered: somebody else changed the file", "key", f.Key)
		return nil
	}
	k := keeper{t: r.t, kind: "conflict", key: f.Key, ours: s.ID, base: s.Base, props: s.Props}
	base := r.base(f)
	defer base.Close()
	info, err := k.put(ctx, s.Snapshot, base)
	if err == nil {
		r.t.o.Log.Warn("a file was changed by somebody else; what was to be saved is kept beside it", "key", f.Key, "kept", info.Key)
	}
	return err
}

// reserve takes the op slot of a key that no process here has open for write: a commit
// under the base of such a file would make its own fail.
func (t *Table) reserve(ctx context.Context, key string) (*File, error) {
	f, err := t.enter(key)
	if err != nil {
		return nil, err
	}
	for began := time.Now(); ; {
		if err := f.lockOpFor(ctx, key, t.o.LockTimeout); err != nil {
			f.leave()
			return nil, err
		}
		f.mu.Lock()
		live := f.live()
		f.mu.Unlock()
		if !live {
			return f, nil
		}
		f.unlockOp()
		if time.Since(began) > t.o.LockTimeout {
			f.leave()
			return nil, &lockmgr.HeldError{Key: key, Host: t.o.Host, Since: began, Waited: time.Since(began)}
		}
		if err := pause(ctx, retryPause, nil); err != nil {
			f.leave()
			return nil, err
		}
	}
}

// commit sends a seal as the dead session would have.
func (r *Recovery) commit(ctx context.Context, hold *hold, f *spool.Found, s *spool.FoundSeal) (*store.Info, error) {
	w := store.Write{Key: f.Key, ID: s.ID, Base: s.Base, Props: s.Props}
	var info store.Info
	// This attempt is ours, and whoever recovers us has to know of it.
	err := r.t.journalled(spool.Op{ID: s.ID, Key: f.Key, Base: s.Base, Kind: "put"}, func() (err error) {
		if s.Copy {
			info, err = r.t.o.Objects.Copy(ctx, hold, w, store.Source{Key: f.Key, Base: s.Base, Size: s.Size()})
			return err
		}
		base := r.base(f)
		defer base.Close()
		info, err = r.t.o.Objects.Put(ctx, hold, w, store.Body{ReaderAt: s.Reader(ctx, base), Size: s.Size()})
		return err
	})
	if err != nil {
		return nil, err
	}
	r.t.o.Log.Info("recovered", "key", f.Key, "bytes", info.Size)
	r.t.changed(f.Key, &info)
	return &info, nil
}

// keep puts bytes that nobody asked to save beside the file.
func (r *Recovery) keep(ctx context.Context, f *spool.Found, s spool.Snapshot) error {
	if s.Local() == 0 {
		return nil // a truncation alone, or an empty file
	}
	k := keeper{t: r.t, kind: "recovered", key: f.Key, base: f.Base, props: f.Props}
	base := r.base(f)
	defer base.Close()
	info, err := k.put(ctx, s, base)
	if err == nil {
		r.t.o.Log.Warn("a file was not closed when its mount died; what was written is kept beside it", "key", f.Key, "kept", info.Key)
	}
	return err
}

// base reads the version that the file grew from; nothing is sent unless it is needed.
func (r *Recovery) base(f *spool.Found) *reader.Pinned {
	return r.t.o.Reader.Pin(store.Info{
		Key: f.Key, ETag: f.Base.ETag, VersionID: f.Base.VersionID, LastModified: f.Base.LastModified, Size: f.BaseSize,
	})
}
