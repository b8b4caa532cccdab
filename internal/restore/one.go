package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
)

// Before is the version that people mean who name none: of a deleted file its last content, else the
// newest version whose content is another one than that of the current version. versions are those of a
// key, oldest first. It fails with ErrNothing.
func Before(versions []history.Version) (history.Version, error) {
	if len(versions) == 0 {
		return history.Version{}, fmt.Errorf("%w: there is no version", ErrNothing)
	}
	last := versions[len(versions)-1]
	for _, v := range slices.Backward(versions) {
		if !v.Deleted && (v.Info.ETag != last.Info.ETag || v.Info.Size != last.Info.Size) {
			return v, nil
		}
	}
	if last.Deleted {
		return last, fmt.Errorf("%w: nothing is left but deletions", ErrNothing)
	}
	return last, fmt.Errorf("%w: no version with other content is left", ErrNothing)
}

// To plans to make a version the current one under a name. versions are all of the version's key,
// oldest first. It fails with ErrNothing if it is the current one already.
func (r *Restorer) To(ctx context.Context, versions []history.Version, v history.Version, name string) (Step, error) {
	s := Step{Key: name, Do: Restore, From: v.Info}
	if err := r.writes(); err != nil {
		return s, err
	}
	if v.Deleted {
		return s, fmt.Errorf("%s is a deletion, which has no content: name the version before it", v.Name)
	}
	if name != v.Info.Key {
		there, err := r.objects.Head(ctx, name, "")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return s, err
		}
		s.Is = there.Base()
		return s, nil
	}
	last := versions[len(versions)-1]
	if last.Info.VersionID == v.Info.VersionID {
		return s, fmt.Errorf("%w: %s is the current version", ErrNothing, v.Name)
	}
	s.Is = base(last)
	return s, nil
}

// base is what has to be under a name whose newest version is v.
func base(v history.Version) store.Base {
	if v.Deleted {
		return store.Base{}
	}
	return v.Info.Base()
}

// Undo plans to bring a name back to what it was before its last n changes. versions are all of the
// key, oldest first. It fails with ErrNothing if nothing would change, or too little is left.
func (r *Restorer) Undo(ctx context.Context, versions []history.Version, n int) (Step, error) {
	if err := r.writes(); err != nil {
		return Step{}, err
	}
	if n > len(versions) || len(versions) == 0 {
		return Step{}, fmt.Errorf("%w: it has %d versions and deletions", ErrNothing, len(versions))
	}
	last := versions[len(versions)-1]
	s := Step{Key: last.Info.Key, Do: Delete, Is: base(last)}
	if n < len(versions) {
		if v := versions[len(versions)-1-n]; !v.Deleted {
			s.Do, s.From = Restore, v.Info
			return s, nil
		}
	} else if err := r.first(ctx, versions[0]); err != nil {
		return s, err
	}
	if last.Deleted {
		return s, fmt.Errorf("%w: it was deleted then, and is so now", ErrNothing)
	}
	return s, nil
}

// first fails if the oldest version that is left is known not to be the first one that was.
func (r *Restorer) first(ctx context.Context, oldest history.Version) error {
	if oldest.Deleted {
		return nil
	}
	info, err := r.history.Info(ctx, oldest.Info.Key, oldest.Info.VersionID)
	if err != nil {
		return err
	}
	if c := store.ReadCommit(info.Props.Meta); c.ID != "" && !info.MadeNew() {
		return fmt.Errorf("%w: the version before %s is not in the history any more", ErrNothing, oldest.Name)
	}
	return nil
}
