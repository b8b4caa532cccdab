package volume

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/internal/shell"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// rebindFlag is the flag of init that sets InitOptions.Rebind.
const rebindFlag = "--rebind"

// mayRebind tells whether the bucket gets another lock table than that of its bond, after it has
// asked. Whether a host has the bucket mounted is what nobody but the user can know: the sessions
// that would show it are in the table that is gone, or in one that is out of reach from here.
func (v *Volume) mayRebind(ctx context.Context, t lockmgr.Table, n TableName, o InitOptions) (bool, error) {
	if v.Bond == nil || !o.Rebind {
		return false, nil
	}
	have, err := t.ReadConfig(ctx)
	if err != nil && !errors.Is(err, lockmgr.ErrNoTable) {
		return false, v.explainTable(err, n)
	}
	was := boundTable(*v.Bond)
	if err == nil && n == was && have.ID == v.Bond.Lock.TableID {
		return false, nil
	}
	if err := v.notMountedHere(o); err != nil {
		return false, err
	}
	question := fmt.Sprintf("Bucket %s is bound to lock table %s (id %s). A host that has it mounted would go on with that one and not wait for the others. Is the bucket mounted nowhere, so that it can be bound to %s?",
		v.Source.Bucket, was, v.Bond.Lock.TableID, n)
	if err := o.Confirm(question); err != nil {
		return false, fmt.Errorf("bucket %s stays bound to lock table %s (id %s), which a host that has it mounted would go on asking: %w",
			v.Source.Bucket, was, v.Bond.Lock.TableID, err)
	}
	return true, nil
}

// notMountedHere fails if this host has the bucket mounted.
func (v *Volume) notMountedHere(o InitOptions) error {
	if o.MountedHere == nil {
		return nil
	}
	if at := o.MountedHere(v.Bond.ID); len(at) > 0 {
		return fmt.Errorf("bucket %s is mounted on this host, and would go on with lock table %s: run %s first, and unmount it on all other hosts",
			v.Source.Bucket, boundTable(*v.Bond), shell.Join("latchfs", "umount", at[0]))
	}
	return nil
}

// rebind writes another lock table into the bond. The bucket keeps its id: by that id the state
// directories of all hosts hold what was not saved yet (LOCKS P6), and a mount that nobody thought
// of would ask a table that was made anew under the old name for the same locks as the others.
func (v *Volume) rebind(ctx context.Context, n TableName, cfg lockmgr.Config, o InitOptions) error {
	// The locks in the old table kept others from what a request could still change after its mount
	// had died. With them gone, only waiting does.
	before, err := v.living(ctx)
	if err != nil {
		return err
	}
	quiet := max(v.quietTime(ctx, cfg), 2*before.beat)
	o.Say("bond: waiting %s, until no request of a mount that has just ended can land any more", quiet)
	if !wait.For(ctx, quiet, nil) {
		return fmt.Errorf("the bond was not changed: %w", ctx.Err())
	}
	if err := v.notMountedHere(o); err != nil {
		return err // somebody has mounted it while we waited
	}
	if err := v.notInUse(ctx, before); err != nil {
		return err
	}
	v.keepTime(cfg)
	bond, base, err := v.Bucket.ReadBucketConfig(ctx)
	if err != nil {
		return fmt.Errorf("reading %s: %w", store.BucketConfigKey, v.at.explainBucket(err))
	}
	old := v.Bond
	if boundTable(bond) != boundTable(*old) || bond.Lock.TableID != old.Lock.TableID || bond.ID != old.ID {
		return changedMeanwhile()
	}
	bond.Lock.Backend, bond.Lock.Table, bond.Lock.TableID = n.Backend, n.Table, cfg.ID
	err = v.Bucket.WriteBucketConfig(ctx, bond, base)
	if errors.Is(err, store.ErrConflict) {
		return changedMeanwhile()
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", store.BucketConfigKey, v.at.explainBucket(err))
	}
	o.Say("bond: %s names lock table %s (id %s) now, instead of %s (id %s)", store.BucketConfigKey, n, cfg.ID, boundTable(*old), old.Lock.TableID)
	v.Bond = &bond
	return nil
}

// living are the sessions of a lock table that are not known to be dead.
type living struct {
	sessions map[string]lockmgr.Session
	beat     time.Duration // of the table
}

// living reads those of the table of the bond. One that is gone, out of reach or another one has none.
func (v *Volume) living(ctx context.Context) (l living, err error) {
	was := boundTable(*v.Bond)
	t, err := v.at.table(ctx, was)
	if err != nil {
		return l, err
	}
	have, err := readTable(ctx, t)
	if err != nil || have.ID != v.Bond.Lock.TableID {
		return l, nil
	}
	l = living{sessions: map[string]lockmgr.Session{}, beat: have.Beat}
	err = t.(lockmgr.Records).Records(ctx, func(r lockmgr.Record) error {
		if r.Session != nil && r.Err != nil {
			return r.Err
		}
		if s := r.Session; s != nil && s.State == lockmgr.Alive {
			l.sessions[s.SID] = *s
		}
		return nil
	})
	if err != nil {
		return l, v.explainTable(err, was)
	}
	return l, nil
}

// notInUse fails if a session of the table of the bond beats, or has begun since then. Of which
// bucket it is no record says: where buckets share a table, it may be of another one.
func (v *Volume) notInUse(ctx context.Context, before living) error {
	now, err := v.living(ctx)
	if err != nil {
		return err
	}
	for sid, s := range now.sessions {
		if was, ok := before.sessions[sid]; !ok || was.Beat != s.Beat {
			return fmt.Errorf("lock table %s is in use by a mount on host %s (pid %d), which would go on with it: unmount that first, also if it is of another bucket that keeps its locks there, and run this again",
				boundTable(*v.Bond), s.Host, s.PID)
		}
	}
	return nil
}

// quietTime is the time after which nothing can land of mounts that used the table of the bond, nor
// of those that will use another one. What was set in a table that is gone nobody knows: then it
// is the default.
func (v *Volume) quietTime(ctx context.Context, new lockmgr.Config) time.Duration {
	was := boundTable(*v.Bond)
	old := was.defaultTiming(v.Source).Delay
	if t, err := v.at.table(ctx, was); err == nil {
		if have, err := t.ReadConfig(ctx); err == nil && have.ID == v.Bond.Lock.TableID {
			old = have.Delay
		}
	}
	return max(old, new.Delay) + v.Bond.Late()
}

func changedMeanwhile() error {
	return fmt.Errorf("somebody else changed %s meanwhile: run this again", store.BucketConfigKey)
}
