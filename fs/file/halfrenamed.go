package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/store"
)

// A rename is a copy and a delete. Whoever takes no lease may change the file in between, so that the
// delete is refused, and may write on the copy, which is there for everybody to see. The answer to a
// conflict is ESTALE, after which the kernel makes the same call again, unseen by the program: that
// would find a file under the new name and replace it, together with all that was written on it. So
// ESTALE is the answer only where nothing of the rename is left.

// half is the error of a rename of which something is left.
func half(cause error) error { return fmt.Errorf("%w (%v)", ErrHalfRenamed, cause) }

// undo takes the copy back after a conflict under the old name, unless somebody has written on it. It
// returns the conflict, or ErrHalfRenamed if the copy stays. One that has replaced a file stays: what
// it replaced is a version.
func (r *renaming) undo(ctx context.Context, p store.Permit, waiting waiter, made store.Info, conflict error) error {
	if !r.dst.found.Base().Absent() {
		return half(conflict)
	}
	if stands, err := r.sourceStands(ctx); err != nil || !stands {
		return half(errors.Join(conflict, err))
	}
	// DELETE has a condition on the ETag alone, and whoever copies the same file to the same name, as a backup, makes
	// a version with the ETag of ours.
	now, err := r.t.current(ctx, r.to)
	switch {
	case err == nil && now.ETag == "":
		r.t.changed(r.to, nil)
		return conflict
	case err != nil || now.VersionID != made.VersionID:
		return half(errors.Join(conflict, err))
	}
	err = r.t.delete(ctx, p, store.Deletion{Key: r.to, Base: made.Base(), Unanswered: waiting.unanswered})
	switch {
	case err == nil, errors.Is(err, store.ErrNotFound):
		r.t.changed(r.to, nil)
		return conflict
	case errors.Is(err, store.ErrUnknownOutcome):
		return err
	}
	return half(errors.Join(conflict, err))
}

// maxAbove bounds the versions that a rename looks through for the one that it copied.
const maxAbove = 8

// sourceStands tells whether what is under the old name by now lies on the version that was copied, and
// that version was not removed in between: a box in the middle may have sent our own request twice,
// and then the copy is the file. The answer is no where that cannot be seen.
func (r *renaming) sourceStands(ctx context.Context) (bool, error) {
	now, err := r.t.current(ctx, r.from)
	at, copied := store.Version{Info: now}, r.src.found.Base()
	for range maxAbove {
		switch {
		case err != nil, at.Deleted, !copied.Pinned(), !at.Info.Base().Pinned():
			return false, err
		case at.Info.VersionID == copied.VersionID:
			return true, nil
		}
		at, err = r.t.o.Objects.Below(ctx, r.from, at.Info.VersionID)
	}
	return false, err
}
