package flatstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3err"
)

// deletable refuses to take v away while a retention or a legal hold protects it. The
// front asks the same, but outside the transaction.
func (v *version) deletable(now time.Time, bypass bool) error {
	held := deref(v.LegalHold)
	retained := v.LockMode != "" && now.Before(v.LockUntil)
	if retained && v.LockMode == types.ObjectLockRetentionModeGovernance && bypass {
		retained = false
	}
	if held || retained {
		return s3err.GetAPIError(s3err.ErrObjectLocked)
	}
	return nil
}

// lockable finds the version that a request about retention or legal hold means.
func (b *bucket) lockable(key, id string) (*version, error) {
	if !b.config.LockEnabled {
		return nil, s3err.GetAPIError(s3err.ErrMissingObjectLockConfiguration)
	}
	var v *version
	var err error
	if id == "" {
		v, err = b.current(key)
	} else {
		v, err = b.find(key, id)
	}
	// The front takes every error but these two for a reason to refuse a DELETE.
	if _, unknown := err.(s3err.InvalidArgumentError); unknown || err == nil && v == nil {
		return nil, s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	if err == nil && v.Marker {
		return nil, s3err.GetAPIError(s3err.ErrMethodNotAllowed)
	}
	return v, err
}

// PutObjectRetention sets a retention. Under one that still holds it may only get
// stricter, except that a GOVERNANCE one can be bypassed.
func (s *Store) PutObjectRetention(ctx context.Context, name, key, id string, retention []byte) error {
	var r types.ObjectLockRetention
	if err := json.Unmarshal(retention, &r); err != nil {
		return fmt.Errorf("decoding a retention: %w", err)
	}
	until := deref(r.RetainUntilDate).UTC()
	return s.updateBucket(name, false, func(b *bucket) error {
		v, err := b.lockable(key, id)
		if err != nil {
			return err
		}
		weaker := r.Mode != v.LockMode || until.Before(v.LockUntil)
		if v.LockMode != "" && time.Now().Before(v.LockUntil) && weaker {
			if v.LockMode == types.ObjectLockRetentionModeCompliance || !bypassed(ctx) {
				return s3err.GetAPIError(s3err.ErrObjectLocked)
			}
		}
		v.LockMode, v.LockUntil = r.Mode, until
		return b.save(key, v)
	})
}

func (s *Store) GetObjectRetention(_ context.Context, name, key, id string) (out []byte, err error) {
	err = s.viewBucket(name, func(b *bucket) error {
		v, err := b.lockable(key, id)
		if err != nil {
			return err
		}
		if v.LockMode == "" {
			return s3err.GetAPIError(s3err.ErrNoSuchObjectLockConfiguration)
		}
		out, err = json.Marshal(types.ObjectLockRetention{Mode: v.LockMode, RetainUntilDate: &v.LockUntil})
		return err
	})
	return out, err
}

func (s *Store) PutObjectLegalHold(_ context.Context, name, key, id string, on bool) error {
	return s.updateBucket(name, false, func(b *bucket) error {
		v, err := b.lockable(key, id)
		if err != nil {
			return err
		}
		v.LegalHold = &on
		return b.save(key, v)
	})
}

func (s *Store) GetObjectLegalHold(_ context.Context, name, key, id string) (on *bool, err error) {
	err = s.viewBucket(name, func(b *bucket) error {
		v, err := b.lockable(key, id)
		if err != nil {
			return err
		}
		if on = v.LegalHold; on == nil {
			return s3err.GetAPIError(s3err.ErrNoSuchObjectLockConfiguration)
		}
		return nil
	})
	return on, err
}
