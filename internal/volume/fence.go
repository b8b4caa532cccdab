package volume

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// The fence is a note in the bond that the bucket is being bound to another lock table (LOCKS P1). While
// it stands nobody begins to lock, so that whoever wrote it and looks then for sessions in the old table sees all
// that can be there. Who cannot see that table says so in the fence, and those who use it stop.

const (
	// fenceRounds is how often the bond is written again because somebody else wrote something else there.
	fenceRounds = 10
	// liftTime bounds the removal of a fence, for which somebody waits who has interrupted the command.
	liftTime = 20 * time.Second
)

// fenceTable is the table that the bucket is being bound to.
func fenceTable(f store.Rebind) TableName { return TableName{f.Backend, f.Table} }

// checkFence fails if there is a fence.
func (v *Volume) checkFence(f *store.Rebind) error {
	if f == nil {
		return nil
	}
	n := fenceTable(*f)
	return fmt.Errorf("bucket %s is being bound to lock table %s since %s, by %s: wait for the end of that, or, if it was cut off, finish it with %s",
		v.Source.Bucket, n, f.Since.UTC().Format(time.RFC3339), f.By, v.at.initCommand(n.String(), rebindFlag))
}

// Bound tells whether the bucket is still bound to the table of Bond; it is lockmgr.Options.Bound for all
// who lock there.
func (v *Volume) Bound(ctx context.Context, starting bool) error {
	now, _, err := v.Bucket.ReadBucketConfig(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: bucket %s has no %s any more: restore that, or unmount, run %s, and mount again",
			lockmgr.ErrUnbound, v.Source.Bucket, store.BucketConfigKey, v.at.initCommand(""))
	case errors.Is(err, store.ErrAccessDenied):
		return fmt.Errorf("%w: %w", lockmgr.ErrAccessDenied, err)
	case err != nil:
		return err
	case !sameTable(now, *v.Bond):
		return fmt.Errorf("%w: bucket %s is bound to lock table %s (id %s) now, and to %s (id %s) when this began: unmount and mount again",
			lockmgr.ErrUnbound, v.Source.Bucket, boundTable(now), now.Lock.TableID, boundTable(*v.Bond), v.Bond.Lock.TableID)
	case now.Rebind != nil && (starting || now.Rebind.Blind):
		return fmt.Errorf("%w: %w", lockmgr.ErrUnbound, v.checkFence(now.Rebind))
	}
	return nil
}

// Moved tells whether the bucket is bound to another lock table now than this process knows, so that it can
// never lock there again. A fence, which may be lifted, is no such thing, and neither is another bucket, or one
// whose bond cannot be read.
func (v *Volume) Moved(ctx context.Context) bool {
	if v.Bond == nil {
		return false
	}
	now, _, err := v.Bucket.ReadBucketConfig(ctx)
	return err == nil && now.ID == v.Bond.ID && !sameTable(now, *v.Bond)
}

// sameTable tells whether two states of the bond are of one bucket and name one table.
func sameTable(a, b store.BucketConfig) bool {
	return a.ID == b.ID && boundTable(a) == boundTable(b) && a.Lock.TableID == b.Lock.TableID
}

// fence writes a fence in the place of one that is there: nobody comes to his end by a fence of somebody
// else's.
func (v *Volume) fence(ctx context.Context, n TableName, blind bool) (store.Rebind, error) {
	f := store.Rebind{ID: rand.Text(), Since: time.Now().UTC().Truncate(time.Second), By: fmt.Sprintf("host %s (pid %d)", v.host, os.Getpid()),
		Backend: n.Backend, Table: n.Table, Blind: blind}
	return f, v.changeBond(ctx, func(b *store.BucketConfig) error {
		if !sameTable(*b, *v.Bond) {
			return changedMeanwhile()
		}
		b.Rebind = &f
		return nil
	})
}

// fenceBlind says in a fence, if it still stands, that whoever wrote it does not see all who use the table.
func (v *Volume) fenceBlind(ctx context.Context, f store.Rebind) error {
	return v.changeBond(ctx, func(b *store.BucketConfig) error {
		if b.Rebind == nil || b.Rebind.ID != f.ID {
			return changedMeanwhile()
		}
		b.Rebind.Blind = true
		return nil
	})
}

// lift removes a fence: the bucket stays with its table. It does nothing if the fence is gone.
func (v *Volume) lift(ctx context.Context, f store.Rebind) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), liftTime)
	defer cancel()
	gone := errors.New("gone")
	err := v.changeBond(ctx, func(b *store.BucketConfig) error {
		if b.Rebind == nil || b.Rebind.ID != f.ID {
			return gone
		}
		b.Rebind = nil
		return nil
	})
	if errors.Is(err, gone) {
		return nil
	}
	return err
}

// changeBond reads the bond, changes it, and writes it, whatever else somebody writes there at the same
// time. Bond is what it has become.
func (v *Volume) changeBond(ctx context.Context, change func(*store.BucketConfig) error) error {
	for range fenceRounds {
		b, base, err := v.Bucket.ReadBucketConfig(ctx)
		if err != nil {
			return fmt.Errorf("reading %s: %w", store.BucketConfigKey, v.at.explainBucket(err))
		}
		if err := change(&b); err != nil {
			return err
		}
		switch err := v.Bucket.WriteBucketConfig(ctx, b, base); {
		case err == nil:
			v.Bond = &b
			return nil
		case !errors.Is(err, store.ErrConflict):
			return fmt.Errorf("writing %s: %w", store.BucketConfigKey, v.at.explainBucket(err))
		}
	}
	return changedMeanwhile()
}

func changedMeanwhile() error {
	return fmt.Errorf("somebody else changed %s meanwhile: run this again", store.BucketConfigKey)
}
