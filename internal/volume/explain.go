package volume

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/internal/awsclient"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// explainCredentials says what to do where none were found.
func explainCredentials(ctx context.Context, err error) error {
	if none, ok := errors.AsType[*awsclient.CredentialsError](err); ok {
		return fmt.Errorf("no AWS credentials were found: %s (%w)", none.Advice, none.Err)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no AWS credentials were found within %s: check what is to give them, a credential_process in ~/.aws/config or the network to a service, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (%w)", credentialsTimeout, err)
	}
	return fmt.Errorf("no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or pass --profile, or see that the service that is to give them answers (%w)", err)
}

// explainBucket adds to an error of the bucket what to do about it.
func (r *reach) explainBucket(err error) error {
	if tls := explainTLS(err, r.where(), "--endpoint-url"); tls != nil {
		return tls
	}
	none, hasNone := errors.AsType[*awsclient.CredentialsError](err)
	switch {
	case hasNone:
		return fmt.Errorf("bucket %s at %s does not take these credentials: %s (%w)", r.src.Bucket, r.where(), none.Advice, none.Err)
	case errors.Is(err, store.ErrNoBucket):
		return fmt.Errorf("bucket %s does not exist at %s: check its name, --region and --endpoint-url, or create it with %s", r.src.Bucket, r.where(), r.initCommand(""))
	case errors.Is(err, store.ErrAccessDenied):
		return fmt.Errorf("bucket %s at %s refuses these credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or --profile, and what they may do (%w)", r.src.Bucket, r.where(), err)
	case errors.Is(err, store.ErrRefused):
		return fmt.Errorf("bucket %s cannot be used from %s: check --region and --endpoint-url (%w)", r.src.Bucket, r.where(), err)
	case errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("%s does not answer for bucket %s: check --endpoint-url, --region and the network (%w)", r.where(), r.src.Bucket, err)
	}
	return fmt.Errorf("bucket %s at %s: %w", r.src.Bucket, r.where(), err)
}

// ofTable gives an error of the bucket of a lock table the kind that one of the table has.
func ofTable(err error) error {
	for _, kind := range []struct{ of, is error }{
		{store.ErrNoBucket, lockmgr.ErrNoTable}, {store.ErrAccessDenied, lockmgr.ErrAccessDenied}, {store.ErrUnavailable, lockmgr.ErrUnavailable},
	} {
		if errors.Is(err, kind.of) {
			return fmt.Errorf("%w: %w", kind.is, err)
		}
	}
	return err
}

// A TableGoneError says that the lock table that the bucket is bound to is not there any more, and what to do.
type TableGoneError struct{ text string }

// Error implements error.
func (e *TableGoneError) Error() string { return e.text }

// explainTable does the same for the lock table.
func (v *Volume) explainTable(err error, n TableName) error {
	r := v.at
	if tls := explainTLS(err, r.whereTable(n), n.endpointFlag()); tls != nil {
		return fmt.Errorf("lock table %s: %w", n, tls)
	}
	none, hasNone := errors.AsType[*awsclient.CredentialsError](err)
	switch {
	case hasNone:
		return fmt.Errorf("lock table %s at %s does not take these credentials: %s (%w)", n, r.whereTable(n), none.Advice, none.Err)
	case errors.Is(err, lockmgr.ErrNoTable) && v.Bond != nil:
		return &TableGoneError{fmt.Sprintf("the bucket's lock table %s (id %s) is gone from %s: restore it, or, if no host has the bucket mounted, bind the bucket to a new one with %s",
			n, v.Bond.Lock.TableID, r.whereTable(n), r.initCommand(n.String(), rebindFlag))}
	case errors.Is(err, lockmgr.ErrForeignTable) && v.Bond != nil:
		return fmt.Errorf("%s is not a lock table this version of latchfs can use (%w): upgrade latchfs, or, if no host has the bucket mounted, bind the bucket to another one with %s",
			n, err, r.initCommand(n.another().String(), rebindFlag))
	case errors.Is(err, lockmgr.ErrNoTable):
		return fmt.Errorf("lock table %s does not exist at %s: check --region and %s, or make it anew with %s", n, r.whereTable(n), n.endpointFlag(), r.initCommand(n.String()))
	case errors.Is(err, lockmgr.ErrForeignTable):
		return fmt.Errorf("%s is not a lock table this version of latchfs can use: name another one to latchfs init --lock, or upgrade latchfs (%w)", n, err)
	case errors.Is(err, lockmgr.ErrReplicated):
		return fmt.Errorf("lock table %s at %s cannot be used: remove its replicas, or name another one to latchfs init --lock for a bucket that is not bound yet (%w)", n, r.whereTable(n), err)
	case errors.Is(err, lockmgr.ErrAccessDenied):
		return fmt.Errorf("lock table %s at %s refuses these credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or --profile, and what they may do (%w)", n, r.whereTable(n), err)
	case errors.Is(err, lockmgr.ErrUnavailable):
		return fmt.Errorf("%s does not answer for lock table %s: check %s, --region and the network (%w)", r.whereTable(n), n, n.endpointFlag(), err)
	}
	return fmt.Errorf("lock table %s at %s: %w", n, r.whereTable(n), err)
}
