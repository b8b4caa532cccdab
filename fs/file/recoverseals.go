package file

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
)

// seals commits what was sealed, in its order. If somebody else wrote, the newest content
// that was sealed goes into a conflict file: it has all before it.
func (r *Recovery) seals(ctx context.Context, f *spool.Found) error {
	for len(f.Seals) > 0 {
		s := f.Seals[0]
		if s.After != "" && s.Base.Absent() {
			return r.conflict(ctx, f, false) // what it follows is not known, so it must replace nothing
		}
		info, err := r.sealed(ctx, f, s)
		if errors.Is(err, errKept) {
			return nil
		}
		if err != nil {
			return err
		}
		if info == nil {
			return r.conflict(ctx, f, false)
		}
		f.Landed(s.ID, info.Base())
	}
	return nil
}

// sealed commits a seal under its original base, unless it is in the bucket already. It
// returns the version that it became, nil if somebody else's version is there. It fails with
// errKept if that version could not stay.
func (r *Recovery) sealed(ctx context.Context, f *spool.Found, s *spool.FoundSeal) (*store.Info, error) {
	c, err := r.t.reserve(ctx, f.Key)
	if err != nil {
		return nil, err
	}
	unanswered := false
	defer func() {
		if unanswered { // and this process ends: the next one to take the lease has to wait
			r.t.unknown([]string{f.Key})
		}
		c.release(unanswered)
	}()
	if s.Attempted {
		// Nobody gets the lease of the dead session before that time is over. But the session may
		// have lost it before, and made its single attempt.
		if !wait.For(ctx, time.Until(r.began.Add(r.t.o.Quiet)), nil) {
			return nil, context.Cause(ctx)
		}
	}
	found, err := r.t.o.Objects.Settle(ctx, f.Key, s.ID, s.Base, s.Copy)
	if err != nil {
		return nil, err
	}
	switch found.Outcome {
	case store.Landed:
		if s.Unleased {
			if err := r.lookBelow(ctx, f.Key, found.Current, s.Base); err != nil {
				return nil, err
			}
		}
		err := r.inPlace(ctx, c, f, found.Current)
		unanswered = errors.Is(err, store.ErrUnknownOutcome)
		return &found.Current, err
	case store.Unchanged:
		if stands, err := r.t.stands(ctx, f.Key, s.Base); err != nil || !stands {
			return nil, err
		}
		info, err := r.commit(ctx, c, f, s)
		if err == nil {
			err = r.inPlace(ctx, c, f, *info)
		}
		unanswered = errors.Is(err, store.ErrUnknownOutcome) && ctx.Err() != nil
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, reader.ErrChanged) {
			return info, err
		}
	}
	return nil, nil
}

// errKept: what was sealed is kept beside its name, which it could not have.
var errKept = errors.New("kept beside its name")

// inPlace repeats the look above a new name that the dead session may have owed, or makes that of
// our own commit of its oldest seal. If the directory has become a file it keeps what was sealed
// and takes back what is under the name, in this order, so that no crash loses the bytes; then it
// fails with errKept.
func (r *Recovery) inPlace(ctx context.Context, c *claim, f *spool.Found, made store.Info) error {
	s, p := f.Seals[0], parent{dir: r.t.above(lease.Name(f.Key))}
	if !s.Base.Absent() || s.After != "" || p.dir == "" {
		return nil
	}
	if stays, err := r.t.staysInside(ctx, p.dir, r.made); err != nil || stays {
		return err // it is a directory without what the dead session made
	}
	if err := r.t.lookAgain(ctx, p, r.t.o.LockTimeout); !misplaced(err) {
		return err
	}
	if err := r.conflict(ctx, f, true); err != nil {
		return err
	}
	now, err := r.t.current(ctx, f.Key)
	if err == nil && sameVersion(now.Base(), made.Base()) {
		err = r.t.takeBack(ctx, c.hold, made)
	}
	if err != nil {
		return err
	}
	return errKept
}

// made tells whether the dead session has made the name of a key, and may owe the look above it.
func (r *Recovery) made(key string) bool {
	return slices.ContainsFunc(r.scan.Files, func(f *spool.Found) bool {
		return f.Key == key && len(f.Seals) > 0 && f.Seals[0].Base.Absent()
	})
}

// lookBelow repeats the look that the dead session owed after its attempt without a lease
// (LOCKS P5). Nobody waits to be told any more, so the log tells.
func (r *Recovery) lookBelow(ctx context.Context, key string, info store.Info, base store.Base) error {
	err := r.t.onTopOf(ctx, key, info, base)
	if over, ok := errors.AsType[*overwroteError](err); ok {
		r.t.o.Log.Error("what was saved without a lease replaced a version of somebody else, which is in the history", "key", key, "theirs", over.version, "ours", info.VersionID)
		return nil
	}
	return err
}

// commit sends a seal as the dead session would have. This attempt is ours, and whoever
// recovers us has to know of it.
func (r *Recovery) commit(ctx context.Context, c *claim, f *spool.Found, s *spool.FoundSeal) (*store.Info, error) {
	w := store.Write{Key: f.Key, ID: s.ID, Base: s.Base, Props: s.Props, Audit: s.Audit}
	var info store.Info
	var err error
	if s.Copy {
		info, err = r.t.copy(ctx, c.hold, w, store.Source{Key: f.Key, Base: s.Base, Size: s.Size()})
	} else {
		base := r.base(f)
		defer base.Close()
		info, err = r.t.put(ctx, c.hold, w, store.Body{ReaderAt: s.Reader(ctx, base), Size: s.Size()})
	}
	if err != nil {
		return nil, err
	}
	r.t.changed(f.Key, &info)
	r.t.o.Log.Info("recovered", "key", f.Key, "bytes", info.Size)
	return &info, nil
}
