package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/internal/localserver"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// localLock is the lock table of every embedded server.
var localLock = lockSpec{backendS3, localserver.LocksBucket}

// bind makes sure that the lock table is there and that the bucket's
// .latchfs/bucket.json names it (LOCKS P1).
func bind(ctx context.Context, bucket *store.Client, o initOptions, r *reach, say func(string, ...any)) error {
	bound, err := readBound(ctx, bucket, o.Source, r)
	if err != nil {
		return err
	}
	l, err := o.lock(r, bound)
	if err != nil {
		return err
	}
	t, err := r.table(ctx, l)
	if err != nil {
		return err
	}
	cfg, err := initTable(ctx, t, l, o, r, bound, say)
	if err != nil {
		return err
	}
	if bound != nil {
		if err := checkBond(*bound, cfg, o.Source, r); err != nil {
			return err
		}
		say("bond: %s in the bucket names lock table %s already", store.BucketConfigKey, l)
		return nil
	}
	bond := store.BucketConfig{Format: store.BucketFormat, ID: rand.Text(), Region: r.Region}
	bond.Lock.Backend, bond.Lock.Table, bond.Lock.TableID = l.Backend, l.Table, cfg.ID
	err = bucket.WriteBucketConfig(ctx, bond, store.Base{})
	if errors.Is(err, store.ErrConflict) {
		return bind(ctx, bucket, o, r, say) // another init was first: check against its bond
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", store.BucketConfigKey, explainBucket(err, o.Source, r))
	}
	say("bond: wrote %s, which names lock table %s", store.BucketConfigKey, l)
	return nil
}

// readBound reads bucket.json; nil if there is none.
func readBound(ctx context.Context, bucket *store.Client, src source, r *reach) (*store.BucketConfig, error) {
	c, _, err := bucket.ReadBucketConfig(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, explainBucket(err, src, r)
	}
	return &c, nil
}

// initTable creates the lock table with the wanted times, or checks the one that is
// there against those that were asked for.
func initTable(ctx context.Context, t lockmgr.Table, l lockSpec, o initOptions, r *reach, bound *store.BucketConfig, say func(string, ...any)) (lockmgr.Config, error) {
	have, err := t.ReadConfig(ctx)
	switch {
	case err == nil:
		if want := withDefaults(o.Timing, have.Timing); want != have.Timing {
			return have, fmt.Errorf("lock table %s beats every %s with lease %s and delay %s, which is not what was asked for (%s, %s, %s): leave the times out, or name another table",
				l, have.Beat, have.Lease, have.Delay, want.Beat, want.Lease, want.Delay)
		}
		say("lock table %s: exists, beat %s, lease %s, delay %s", l, have.Beat, have.Lease, have.Delay)
		return have, nil
	case !errors.Is(err, lockmgr.ErrNoTable):
		return have, explainTable(err, l, o.Source, r)
	case bound != nil:
		return have, fmt.Errorf("the bucket's lock table %s (id %s) is gone from %s: restore it, or make sure that no host has the bucket mounted, delete %s and run init again", l, bound.Lock.TableID, l.where(r), store.BucketConfigKey)
	}
	want := lockmgr.Config{Timing: withDefaults(o.Timing, l.defaultTiming(o.Source))}
	got, created, err := t.Init(ctx, want)
	if err != nil {
		return got, explainTable(err, l, o.Source, r)
	}
	verb := "exists"
	if created {
		verb = "created"
	}
	say("lock table %s: %s, beat %s, lease %s, delay %s", l, verb, got.Beat, got.Lease, got.Delay)
	return got, nil
}

// withDefaults fills the times that were not asked for.
func withDefaults(t, d lockmgr.Timing) lockmgr.Timing {
	if t.Beat == 0 {
		t.Beat = d.Beat
	}
	if t.Lease == 0 {
		t.Lease = d.Lease
	}
	if t.Delay == 0 {
		t.Delay = d.Delay
	}
	return t
}

// checkBond refuses a lock table that is not the one the bucket was bound to, though it
// has its name: a copy, or one that was made anew, knows nothing of the locks others hold.
func checkBond(b store.BucketConfig, c lockmgr.Config, src source, r *reach) error {
	if b.Lock.TableID == c.ID {
		return nil
	}
	l := lockSpec{b.Lock.Backend, b.Lock.Table}
	return fmt.Errorf("bucket %s is bound to lock table %s with id %s, but the table of that name has id %s: pass the endpoint or region of the right one, or, if no host has the bucket mounted, delete %s and run %s",
		src.Bucket, l, b.Lock.TableID, c.ID, store.BucketConfigKey, r.initCommand(src, l.String()))
}
