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

// listTime bounds the reading of all records of a lock table, which may be of many buckets.
const listTime = 5 * time.Minute

// mayRebind tells whether the bucket gets another lock table than that of its bond, after it has
// asked: a mount that nobody sees from here, since the table is gone or out of reach, is ended by that.
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
	question := fmt.Sprintf("Bucket %s is bound to lock table %s (id %s). A host that has it mounted could save nothing more until it mounts it again. Is the bucket mounted nowhere, so that it can be bound to %s?",
		v.Source.Bucket, was, v.Bond.Lock.TableID, n)
	if err := o.Confirm(question); err != nil {
		return false, fmt.Errorf("bucket %s stays bound to lock table %s (id %s), without which a host that has it mounted could save nothing more: %w",
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
	before := *v.Bond
	was := boundTable(before)
	old, err := v.at.table(ctx, was)
	if err != nil {
		return err
	}
	have, err := readTable(ctx, old)
	seen := err == nil && have.ID == before.Lock.TableID
	if !seen {
		have.Timing = was.defaultTiming(v.Source) // what it had nobody knows
	}
	v.keepTime(cfg)
	fence, err := v.fence(ctx, n, !seen)
	if err == nil && seen {
		seen, err = v.endSessions(ctx, old, have, o)
		if err == nil && !seen {
			err = v.fenceBlind(ctx, fence)
		}
	}
	if err == nil {
		if err = v.emptied(ctx, have, cfg, seen, o); err == nil {
			err = v.bindTo(ctx, n, cfg, fence)
		}
	}
	if err != nil {
		if left := v.lift(ctx, fence); left != nil {
			return fmt.Errorf("%w (that it was begun still stands in %s, until it is run again: %w)", err, store.BucketConfigKey, left)
		}
		return err
	}
	o.Say("bond: %s names lock table %s (id %s) now, instead of %s (id %s)", store.BucketConfigKey, n, cfg.ID, was, before.Lock.TableID)
	return nil
}

// emptied ends when nobody uses the table of the bond any more, before which the fence stands, and nothing
// of a mount that did can land any more: the locks that kept others from that are not asked for again. seen tells that
// all who used the table have ended; else the fence says so.
func (v *Volume) emptied(ctx context.Context, have, new lockmgr.Config, seen bool, o InitOptions) error {
	quiet := max(have.Delay, new.Delay) + v.Bond.Late()
	if !seen {
		quiet += lockmgr.BoundTerm
	}
	o.Say("bond: waiting %s, until no request of a mount that has just ended can land any more", quiet)
	if !wait.For(ctx, quiet, nil) {
		return fmt.Errorf("the bond was not changed: %w", context.Cause(ctx))
	}
	return v.notMountedHere(o) // somebody may have mounted it while we waited
}

// bindTo writes the table into the bond, if the fence still stands.
func (v *Volume) bindTo(ctx context.Context, n TableName, cfg lockmgr.Config, fence store.Rebind) error {
	return v.changeBond(ctx, func(b *store.BucketConfig) error {
		if b.Rebind == nil || b.Rebind.ID != fence.ID {
			return changedMeanwhile()
		}
		b.Rebind = nil
		b.Lock.Backend, b.Lock.Table, b.Lock.TableID = n.Backend, n.Table, cfg.ID
		return nil
	})
}

// endSessions watches the living sessions of the table of the bond for its lease, and declares those dead
// that do not beat: they could come back else. It fails if one beats. Of which bucket it is no record
// says: where buckets share a table, it may be of another one. It tells whether it saw all: a record that is damaged, or
// of a later version, may be that of a mount that lives.
func (v *Volume) endSessions(ctx context.Context, t lockmgr.Table, have lockmgr.Config, o InitOptions) (all bool, err error) {
	was := boundTable(*v.Bond)
	var first []lockmgr.Session
	all = true
	listing, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	err = t.(lockmgr.Records).Records(listing, func(r lockmgr.Record) error {
		s := r.Session
		switch {
		case s == nil:
		case errors.Is(r.Err, lockmgr.ErrForeignTable) || r.Err == nil && !s.State.Known():
			all = false
			o.Say("bond: session %q in %s cannot be read, so that all mounts that have their locks there have to stop", s.SID, was)
		case r.Err != nil:
			return r.Err
		case s.State == lockmgr.Alive:
			first = append(first, *s)
		}
		return nil
	})
	if err != nil {
		return false, v.explainTable(err, was)
	}
	if len(first) == 0 {
		return all, nil
	}
	o.Say("bond: watching %s for %s, since mounts that live may have their sessions there (now %d)", was, have.Lease, len(first))
	for began := time.Now(); ; {
		over := time.Since(began) >= have.Lease
		for i, s := range first {
			now, err := insist(ctx, func(ctx context.Context) (lockmgr.Session, error) {
				ctx, cancel := context.WithTimeout(ctx, answerTimeout)
				defer cancel()
				if over && s.State == lockmgr.Alive {
					return t.KillSession(ctx, s)
				}
				return t.GetSession(ctx, s.SID)
			})
			if err != nil {
				return false, v.explainTable(err, was)
			}
			if now.State == lockmgr.Alive && (over || now.Beat != s.Beat) {
				return false, fmt.Errorf("lock table %s is in use by a mount on host %s (pid %d), which would go on with it: unmount that first, also if it is of another bucket that keeps its locks there, and run this again",
					was, s.Host, s.PID)
			}
			first[i] = now
		}
		if over {
			return all, nil
		}
		if !wait.For(ctx, min(have.Beat, have.Lease-time.Since(began)), nil) {
			return false, fmt.Errorf("the bond was not changed: %w", context.Cause(ctx))
		}
	}
}
