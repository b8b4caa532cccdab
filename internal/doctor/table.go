package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// checkBond: the bucket says which lock table is its own.
func checkBond(ctx context.Context, v *volume.Volume) Line {
	const check = "bond"
	if err := v.ReadBond(ctx); err != nil {
		return undecided(check, err)
	}
	if v.Bond == nil {
		l := Line{Check: check, Status: Fail, Found: "the bucket has no " + store.BucketConfigKey + ", which names its lock table", Advice: "run " + v.InitCommand()}
		if v.Source.Local != "" {
			l.Status, l.Advice = Warn, "mount it once, which writes it"
		}
		return l
	}
	if err := v.CheckBond(); err != nil {
		return Line{Check: check, Status: Fail, Found: oneLine(err)}
	}
	return ok(check, "%s names lock table %s:%s", store.BucketConfigKey, v.Bond.Lock.Backend, v.Bond.Lock.Table)
}

// checkTable: the lock table is there, is the one of the bond, and can be used. unseen: nothing else
// can be said of it, since it is gone or another one is about to be named.
func checkTable(ctx context.Context, v *volume.Volume) (_ Line, unseen bool) {
	const check = "lock-table"
	if v.Bond == nil {
		return Line{Check: check, Status: Warn, Found: "not looked at: nothing names it", Advice: "see bond"}, true
	}
	if v.Bond.Rebind != nil {
		return Line{Check: check, Status: Warn, Found: "not looked at: another one is about to be named", Advice: "see bond"}, true
	}
	t, err := lockTable(ctx, v)
	if err != nil {
		_, gone := errors.AsType[*volume.TableGoneError](err)
		return Line{Check: check, Status: Fail, Found: oneLine(err)}, gone
	}
	known, _ := v.Known()
	found := timesLine(check, t, known.Flaws)
	bucket, err := v.LockBucket(ctx)
	if err != nil {
		return undecided(check, err), false
	}
	if bucket == nil {
		return found, false
	}
	return checkLockBucket(ctx, check, t.Name, bucket, found), false
}

// notSeen is the line of a check of a lock table of which nothing can be said.
func notSeen(check string) Line {
	return Line{Check: check, Status: Warn, Found: "not looked at", Advice: "see lock-table"}
}

// inBucket tells whether the lock table of the bond is a bucket.
func inBucket(v *volume.Volume) bool { return v.Bond.Lock.Backend == volume.BackendS3 }

// timesLine tells the times of a lock table, and how much longer a dead host has its locks on a server with such flaws.
func timesLine(check string, t volume.LockTable, f store.Flaws) Line {
	l := ok(check, "%s answers, id %s, beat %s, lease %s, delay %s", t.Name, t.Config.ID, t.Config.Beat, t.Config.Lease, t.Config.Delay)
	if late := f.Late(); late > 0 {
		l.Found += fmt.Sprintf("; on this server %s more until a lock of a dead host is taken over, since one request may make 5 GiB", late)
	}
	return l
}

const (
	// tablePatience is how long a lock table that does not answer is asked again.
	tablePatience = 15 * time.Second
	firstPause    = 100 * time.Millisecond
	lastPause     = 2 * time.Second
)

// lockTable asks the lock table until it answers: one answer that it is too busy says nothing.
func lockTable(ctx context.Context, v *volume.Volume) (t volume.LockTable, err error) {
	err = patiently(ctx, func(ctx context.Context) (err error) {
		t, err = v.LockTable(ctx)
		return err
	})
	return t, err
}

// patiently makes a request to the lock table again as long as it is not answered.
func patiently(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, tablePatience)
	defer cancel()
	pause := wait.Backoff{First: firstPause, Last: lastPause}
	for {
		err := request(ctx)
		if !errors.Is(err, lockmgr.ErrUnavailable) || !pause.Wait(ctx, nil) {
			return err
		}
	}
}

// checkLockBucket: each heartbeat would leave a version for ever where the bucket keeps them or
// retains them.
func checkLockBucket(ctx context.Context, check string, name volume.TableName, c *store.Client, found Line) Line {
	state, err := c.Versioning(ctx)
	if err != nil {
		return undecided(check, err)
	}
	rule, err := c.DefaultRetention(ctx)
	if err != nil {
		return undecided(check, err)
	}
	switch {
	case rule != store.Retention{}:
		return Line{Check: check, Status: Fail, Found: name.String() + " retains each version (" + rule.String() + "), and each heartbeat writes one",
			Advice: "remove the bucket's default rule of Object Lock"}
	case state == store.VersioningOn:
		return Line{Check: check, Status: Fail, Found: name.String() + " keeps versions, and each heartbeat writes one",
			Advice: "suspend its versioning, and let a lifecycle rule remove noncurrent versions"}
	case state == store.VersioningSuspended:
		return Line{Check: check, Status: Warn, Found: name.String() + " kept versions once, which stay",
			Advice: "let a lifecycle rule remove noncurrent versions"}
	}
	return found
}
