package cli

import (
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// explainBucket adds to an error of the bucket what to do about it.
func explainBucket(err error, src source, r *reach) error {
	switch {
	case errors.Is(err, store.ErrNoBucket):
		return fmt.Errorf("bucket %s does not exist at %s: check its name, --region and --endpoint-url, or create it with %s", src.Bucket, r.where(), r.initCommand(src, ""))
	case errors.Is(err, store.ErrAccessDenied):
		return fmt.Errorf("bucket %s at %s refuses these credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or --profile, and what they may do (%w)", src.Bucket, r.where(), err)
	case errors.Is(err, store.ErrRefused):
		return fmt.Errorf("bucket %s cannot be used from %s: check --region and --endpoint-url (%w)", src.Bucket, r.where(), err)
	case errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("%s does not answer for bucket %s: check --endpoint-url, --region and the network (%w)", r.where(), src.Bucket, err)
	}
	return fmt.Errorf("bucket %s at %s: %w", src.Bucket, r.where(), err)
}

// explainTable does the same for the lock table.
func explainTable(err error, l lockSpec, src source, r *reach) error {
	switch {
	case errors.Is(err, lockmgr.ErrNoTable):
		return fmt.Errorf("lock table %s does not exist at %s: check --region and %s, or make it anew with %s", l, l.where(r), l.endpointFlag(), r.initCommand(src, l.String()))
	case errors.Is(err, lockmgr.ErrForeignTable):
		return fmt.Errorf("%s is not a lock table this version of latchfs can use: name another one to latchfs init --lock, or upgrade latchfs (%w)", l, err)
	case errors.Is(err, lockmgr.ErrAccessDenied):
		return fmt.Errorf("lock table %s at %s refuses these credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or --profile, and what they may do (%w)", l, l.where(r), err)
	case errors.Is(err, lockmgr.ErrUnavailable):
		return fmt.Errorf("%s does not answer for lock table %s: check %s, --region and the network (%w)", l.where(r), l, l.endpointFlag(), err)
	}
	return fmt.Errorf("lock table %s at %s: %w", l, l.where(r), err)
}
