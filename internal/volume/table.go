package volume

import (
	"context"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
	"github.com/latchfs/latchfs/lockmgr/s3table"
	"github.com/latchfs/latchfs/store"
)

// A LockTable is the lock table of a volume, and the times that it sets for all who use it.
type LockTable struct {
	Name   TableName
	Table  lockmgr.Table
	Config lockmgr.Config
	// Late is the part of the delay in Config that is not the table's: it comes of what the server does wrong.
	Late time.Duration
}

// LockTable reaches the lock table that the bucket is bound to, refuses one that only has
// its name, and sets the times of Bucket, which follow from those of the table.
func (v *Volume) LockTable(ctx context.Context) (LockTable, error) {
	if err := v.CheckBond(); err != nil {
		return LockTable{}, err
	}
	t := LockTable{Name: boundTable(*v.Bond)}
	var err error
	if t.Table, err = v.at.table(ctx, t.Name); err != nil {
		return t, err
	}
	if t.Config, err = readTable(ctx, t.Table); err != nil {
		return t, v.explainTable(err, t.Name)
	}
	if err := v.checkTable(t.Config); err != nil {
		return t, err
	}
	v.keepTime(t.Config)
	if s, ok := t.Table.(*s3table.Table); ok && v.removesRecords() {
		s.RemoveReleased()
	}
	return t.on(v.Bucket.Flaws()), nil
}

// removesRecords tells whether the server of the lock table is known to judge the condition of a
// DELETE: AWS does, any other one has to be proved, by this process or an earlier one.
func (v *Volume) removesRecords() bool {
	if v.at.onAWS() {
		return true
	}
	return v.lockProved && !(v.lockVerdict.Flaws | v.lockVerdict.Unknown).Has(store.DeleteConditions)
}

// on gives the table as a mount uses it on such a server, which has to be known by then: whoever takes over
// the lock of a dead host waits longer, if what that has sent may land later than others' requests (LOCKS
// P4.3). Every mount finds the same of the server.
func (t LockTable) on(f store.Flaws) LockTable {
	t.Late = f.Late()
	t.Config.Delay += t.Late
	return t
}

// keepTime sets the times of Bucket, which follow from those of its lock table.
func (v *Volume) keepTime(c lockmgr.Config) {
	v.Bucket.SetTiming(store.Timing{Quiet: c.Delay, Stall: c.Stall()})
}

// LockTimeout is how long an open waits by default for a file that is locked elsewhere.
func (t LockTable) LockTimeout() time.Duration { return 2 * (t.Config.Lease + t.Config.Delay) }

// FlushTimeout is how long a close waits by default for the bucket's answer.
func (t LockTable) FlushTimeout() time.Duration { return 2 * (t.Config.Stall() + t.Config.Delay) }

// AllowFlushTimeout refuses a time that would end before an unanswered attempt can be looked up (LOCKS
// P4.4), with a UsageError. One that is long enough for the table, and too short only because of what the server does
// wrong, is raised, and warning says so in one line: a line in /etc/fstab may be older than what is known of the server.
func (t LockTable) AllowFlushTimeout(d time.Duration) (use time.Duration, warning string, err error) {
	own := t.Config
	own.Delay -= t.Late
	least := 2*own.Stall() + own.Delay
	if d < least {
		return 0, "", Usagef("--flush-timeout %s is too short for lock table %s: give it %s or more", d, t.Name, least.Round(time.Millisecond)+time.Millisecond)
	}
	if least = 2*t.Config.Stall() + t.Config.Delay; d < least {
		return least, fmt.Sprintf("--flush-timeout %s is too short for the S3 server, where a request that was given up may land %s later than on others: it is %s here; give it that or more", d, t.Late, least), nil
	}
	return d, "", nil
}

// boundTable gives the name of the table that a bond names.
func boundTable(b store.BucketConfig) TableName { return TableName{b.Lock.Backend, b.Lock.Table} }

// checkTable refuses a lock table that is not the one the bucket was bound to, though it
// has its name: a copy, or one that was made anew, knows nothing of the locks others hold.
func (v *Volume) checkTable(c lockmgr.Config) error {
	b := v.Bond
	if b.Lock.TableID == c.ID {
		return nil
	}
	n := boundTable(*b)
	return fmt.Errorf("bucket %s is bound to lock table %s with id %s, but the table of that name has id %s: pass the endpoint or region of the right one, or, if no host has the bucket mounted, bind the bucket to this one with %s",
		v.Source.Bucket, n, b.Lock.TableID, c.ID, v.at.initCommand(n.String(), rebindFlag))
}

// table gives the lock table of that name; nothing is sent yet.
func (r *reach) table(ctx context.Context, n TableName) (lockmgr.Table, error) {
	switch n.Backend {
	case BackendDynamo:
		return dynamo.Open(ctx, dynamo.Config{Table: n.Table, Region: r.Region, Endpoint: r.DynamoDBEndpoint,
			Profile: r.Profile, AccessKey: r.AccessKey, SecretKey: r.SecretKey, Credentials: r.credentials})
	case BackendS3:
		return s3table.Open(ctx, s3table.Config{Bucket: n.Table, Region: r.Region, Endpoint: r.Endpoint,
			Profile: r.Profile, PathStyle: r.PathStyle, AccessKey: r.AccessKey, SecretKey: r.SecretKey, Credentials: r.credentials})
	}
	return nil, fmt.Errorf("the bucket's lock table is of kind %q, which this version does not know: upgrade latchfs", n.Backend)
}
