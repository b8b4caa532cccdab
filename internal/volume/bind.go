package volume

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// bind makes sure that the lock table is there and that the bucket's
// .latchfs/bucket.json names it (LOCKS P1). Afterwards Bond is set.
func (v *Volume) bind(ctx context.Context, o InitOptions) error {
	if err := v.ReadBond(ctx); err != nil {
		return err
	}
	n, err := v.chooseTable(o)
	if err != nil {
		return err
	}
	t, err := v.at.table(ctx, n)
	if err != nil {
		return err
	}
	rebind, err := v.mayRebind(ctx, t, n, o)
	if err != nil {
		return err
	}
	cfg, err := v.initTable(ctx, t, n, o)
	if err != nil {
		return err
	}
	if err := v.proveTable(ctx, n); err != nil {
		return err
	}
	switch {
	case rebind:
		return v.rebind(ctx, n, cfg, o)
	case v.Bond == nil:
		return v.firstBind(ctx, n, cfg, o)
	}
	if err := v.checkTable(cfg); err != nil {
		return err
	}
	if fence := v.Bond.Rebind; fence != nil {
		if err := v.lift(ctx, *fence); err != nil {
			return err
		}
		o.Say("bond: the bucket is not being bound to lock table %s any more", fenceTable(*fence))
	}
	o.Say("bond: %s in the bucket names lock table %s already", store.BucketConfigKey, n)
	return nil
}

// firstBind writes the bond of a bucket that has none.
func (v *Volume) firstBind(ctx context.Context, n TableName, cfg lockmgr.Config, o InitOptions) error {
	v.keepTime(cfg)
	bond := store.BucketConfig{Format: store.BucketFormat, ID: rand.Text(), Region: v.at.Region}
	bond.Lock.Backend, bond.Lock.Table, bond.Lock.TableID = n.Backend, n.Table, cfg.ID
	err := v.Bucket.WriteBucketConfig(ctx, bond, store.Base{})
	if errors.Is(err, store.ErrConflict) {
		return v.bind(ctx, o) // another init was first: check against its bond
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", store.BucketConfigKey, v.at.explainBucket(err))
	}
	o.Say("bond: wrote %s, which names lock table %s", store.BucketConfigKey, n)
	v.Bond = &bond
	return nil
}

// chooseTable chooses the lock table: the one that the bucket is bound to, the one asked
// for, or the default.
func (v *Volume) chooseTable(o InitOptions) (TableName, error) {
	asked := o.Table
	if v.Bond != nil {
		n := boundTable(*v.Bond)
		if fence := v.Bond.Rebind; fence != nil {
			if !o.Rebind {
				return n, v.checkFence(fence)
			}
			if asked == nil {
				return fenceTable(*fence), nil
			}
		}
		switch {
		case asked == nil || *asked == n:
			return n, nil
		case !o.Rebind:
			return n, fmt.Errorf("bucket %s is bound to lock table %s, not to %s: leave --lock out, or, if no host has the bucket mounted, move it with %s",
				v.Source.Bucket, n, *asked, v.at.initCommand(asked.String(), rebindFlag))
		}
		return *asked, nil
	}
	switch {
	case v.Source.Local != "":
		return localTable(), nil
	case asked != nil:
		return *asked, nil
	case v.at.onAWS():
		return TableName{BackendDynamo, "latchfs"}, nil
	}
	return TableName{}, fmt.Errorf("%s is not AWS, so the lock table has to be named: run %s, or name a DynamoDB table with --lock dynamodb:TABLE", v.at.where(), v.at.initCommand(""))
}

// initTable creates the lock table with the wanted times, or checks the one that is
// there against those that were asked for.
func (v *Volume) initTable(ctx context.Context, t lockmgr.Table, n TableName, o InitOptions) (lockmgr.Config, error) {
	have, err := readTable(ctx, t)
	switch {
	case err == nil:
		if want := withDefaults(o.Timing, have.Timing); want != have.Timing {
			return have, fmt.Errorf("lock table %s beats every %s with lease %s and delay %s, which is not what was asked for (%s, %s, %s): leave the times out, or name another table",
				n, have.Beat, have.Lease, have.Delay, want.Beat, want.Lease, want.Delay)
		}
		o.Say("lock table %s: exists, beat %s, lease %s, delay %s", n, have.Beat, have.Lease, have.Delay)
		return have, nil
	case !errors.Is(err, lockmgr.ErrNoTable):
		return have, v.explainTable(err, n)
	case v.Bond != nil && !o.Rebind:
		return have, v.explainTable(err, n)
	}
	// The id is chosen here, so that what an unanswered try made is known again.
	wish := lockmgr.Config{ID: rand.Text(), Timing: withDefaults(o.Timing, n.defaultTiming(v.Source))}
	created := false
	got, err := insist(ctx, func(ctx context.Context) (got lockmgr.Config, err error) {
		got, created, err = t.Init(ctx, wish)
		return got, err
	})
	if err != nil {
		return got, v.explainTable(err, n)
	}
	verb := "exists"
	if created {
		verb = "created"
	}
	o.Say("lock table %s: %s, beat %s, lease %s, delay %s", n, verb, got.Beat, got.Lease, got.Delay)
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
