package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
)

// takeBack removes a version that we have made just now, unless somebody else's is on top, or that
// is not allowed. If the lease is not proved valid any more that is done in the background, under a
// new one.
func (t *Table) takeBack(ctx context.Context, permit store.Permit, made store.Info) error {
	for {
		err := t.delete(ctx, permit, store.Deletion{Key: made.Key, Base: made.Base()})
		switch {
		case err == nil, errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound):
			return nil
		case errors.Is(err, store.ErrNotPermitted):
			t.work.Go(func() { t.takeBackLater(made) })
			return nil
		case refused(err):
			t.o.Log.Error("what was made in a directory that another host has made a file of may not be removed again", "key", made.Key, "err", err)
			return nil
		case !errors.Is(err, store.ErrUnavailable) || !wait.For(ctx, retryPause, nil):
			return fmt.Errorf("taking %q back: %w", made.Key, err)
		}
	}
}

// errTakenBack: what a live file grew from is taken back.
var errTakenBack error = &misplacedError{errors.New("it was made in a directory that another host has, or may have, made a file of")}

// takeBackLater removes a version that is still the current one, under a lease that has to be had
// anew, until the table ends. Whoever here has opened it for write meanwhile loses the name first, as
// to a conflict: what he wrote is kept while what it grew from is still there.
func (t *Table) takeBackLater(made store.Info) {
	ctx := t.background
	for {
		c, err := t.claimOf(ctx, t.visit(made.Key), made.Key, t.o.LockTimeout, nil)
		if err == nil {
			if sameVersion(c.found.Base(), made.Base()) {
				c.hold.Bar()
				c.f.conflictThen(ctx, errTakenBack, func() { err = t.takeBack(ctx, c.hold, made) })
			}
			unanswered := errors.Is(err, store.ErrUnknownOutcome)
			if unanswered {
				t.unknown([]string{made.Key})
			}
			c.release(unanswered)
			return
		}
		if !wait.For(ctx, retryPause, nil) {
			t.o.Log.Error("what was made in a directory that another host has made a file of was not removed", "key", made.Key, "err", err)
			return
		}
	}
}
