package volume

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// versioningAdvice is what the S3 User Guide says under "Enabling versioning on
// buckets".
const versioningAdvice = "S3 advises to wait 15 minutes after versioning was switched on before anything is written"

// InitOptions say what Init is to make.
type InitOptions struct {
	Table *TableName // nil: the bucket's own, or the default
	// Timing has 0 where the table's own, or the default, is meant.
	Timing lockmgr.Timing
	// Rebind is to bind a bucket that is bound already to Table, or to what is there now under the
	// name of its own.
	Rebind bool
	// MountedHere gives where this host has the bucket of an id mounted; nil if that is not known.
	MountedHere func(bucketID string) []string
	// Confirm is asked before a bucket that is there is changed; nothing is changed if it
	// fails.
	Confirm func(question string) error
	// Say is told in one line each what was found or done.
	Say func(format string, args ...any)
}

// Init makes bucket, lock table and their bond, or checks those that are there. To run it
// again changes nothing.
func Init(ctx context.Context, o Options, i InitOptions) error {
	v, err := Dial(ctx, o)
	if err != nil {
		return err
	}
	if err := v.init(ctx, i); err != nil {
		v.Discard()
		return err
	}
	return v.Close()
}

func (v *Volume) init(ctx context.Context, i InitOptions) error {
	exists, err := v.checkInit(ctx, i)
	if err != nil {
		return err
	}
	if err := v.initBucket(ctx, exists, i); err != nil {
		return err
	}
	if err := v.bind(ctx, i); err != nil {
		return err
	}
	return v.proveInit(ctx, i)
}

// checkInit finds what is wrong with the request before anything is changed, and tells
// whether the bucket is there.
func (v *Volume) checkInit(ctx context.Context, o InitOptions) (exists bool, err error) {
	err = v.check(ctx)
	exists = !errors.Is(err, store.ErrNoBucket)
	if err != nil && exists {
		return exists, v.at.explainBucket(err)
	}
	if exists {
		if err := v.ReadBond(ctx); err != nil {
			return exists, err
		}
	}
	if exists && v.Bond == nil {
		if err := v.refuseLockBucket(ctx); err != nil {
			return exists, err
		}
	}
	n, err := v.chooseTable(o)
	if err != nil {
		return exists, err
	}
	if err := withDefaults(o.Timing, n.defaultTiming(v.Source)).Validate(); err != nil && o.Timing != (lockmgr.Timing{}) {
		return exists, Usagef("%v: choose other --beat, --lease and --delay", err)
	}
	t, err := v.at.table(ctx, n)
	if err != nil {
		return exists, err
	}
	if _, err := readTable(ctx, t); err != nil && !errors.Is(err, lockmgr.ErrNoTable) {
		if err := v.refuseDataBucket(ctx, n); err != nil {
			return exists, err
		}
		return exists, v.explainTable(err, n)
	}
	return exists, nil
}

// initBucket makes sure that the bucket is there and keeps versions.
func (v *Volume) initBucket(ctx context.Context, exists bool, o InitOptions) error {
	name := v.Source.Bucket
	if !exists {
		if err := v.Bucket.CreateBucket(ctx); err != nil {
			return fmt.Errorf("creating bucket %s: %w", name, err)
		}
		if err := v.enableVersioning(ctx); err != nil {
			return err
		}
		o.Say("bucket %s: created, versioning on (%s)", name, versioningAdvice)
		return nil
	}
	versioned, err := v.Versioned(ctx)
	if err != nil {
		return err
	}
	if versioned {
		o.Say("bucket %s: exists, versioning is on", name)
		return nil
	}
	question := fmt.Sprintf("Bucket %s exists without versioning. Switch it on (it can be suspended later, never removed)?", name)
	if err := o.Confirm(question); err != nil {
		return fmt.Errorf("bucket %s has no versioning and was not changed: %w", name, err)
	}
	if err := v.enableVersioning(ctx); err != nil {
		return err
	}
	o.Say("bucket %s: exists, versioning switched on (%s)", name, versioningAdvice)
	return nil
}

func (v *Volume) enableVersioning(ctx context.Context) error {
	if err := v.Bucket.EnableVersioning(ctx); err != nil {
		return fmt.Errorf("switching on versioning of bucket %s: %w", v.Source.Bucket, err)
	}
	v.fresh = true
	return nil
}
