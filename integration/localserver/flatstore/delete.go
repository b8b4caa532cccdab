package flatstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

const maxDeletes = 1000 // keys in one DeleteObjects

// A deletion is one key to delete.
type deletion struct {
	key, version string
	match        *string // ETag without quotes, or *
	modified     *time.Time
	size         *int64
	bypass       bool // of a GOVERNANCE retention
}

func (d deletion) conditional() bool { return d.match != nil || d.modified != nil || d.size != nil }

func bypassed(ctx context.Context) bool {
	v, _ := header(ctx, "X-Amz-Bypass-Governance-Retention")
	return strings.EqualFold(v, "true")
}

// delete takes a version away, or puts a marker over the current one, as versioning
// says. It gives the marker it made or took away, and the id to show.
func (b *bucket) delete(d deletion) (marker bool, id string, err error) {
	if d.version != "" {
		return b.deleteVersion(d)
	}
	if d.conditional() {
		current, err := b.current(d.key)
		if err != nil {
			return false, "", err
		}
		if err := d.judge(current); err != nil {
			return false, "", err
		}
	}
	if b.config.Versioning == "" {
		old, err := b.null(d.key)
		if err != nil || old == nil {
			return false, "", err
		}
		return false, "", b.remove(d.key, old)
	}
	v := &version{Marker: true}
	if err := b.add(d.key, v); err != nil {
		return false, "", err
	}
	return true, v.ID, nil
}

// judge refuses a conditional deletion. An absent object is 404, as observed of S3.
func (d deletion) judge(current *version) error {
	if !current.live() {
		return s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	match := d.match
	if match != nil && *match == "*" {
		match = nil
	}
	return backend.EvaluateObjectDeletePreconditions(current.ETag, current.modified(), current.Size,
		backend.ObjectDeletePreconditions{IfMatch: match, IfMatchLastModTime: d.modified, IfMatchSize: d.size})
}

func (b *bucket) deleteVersion(d deletion) (marker bool, id string, err error) {
	if d.conditional() { // S3 answers 501, as observed
		return false, "", s3err.GetNotImplementedErr("If-Match", "")
	}
	v, err := b.find(d.key, d.version)
	if err != nil || v == nil {
		return false, d.version, err
	}
	if err := v.deletable(time.Now(), d.bypass); err != nil {
		return false, "", err
	}
	return v.Marker, d.version, b.remove(d.key, v)
}

// DeleteObject deletes one key or version. The condition is judged in the transaction
// that deletes.
func (s *Store) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	d := deletion{
		key: deref(in.Key), version: deref(in.VersionId),
		match:    writeCondition(ctx, in.IfMatch, nil).match,
		modified: in.IfMatchLastModifiedTime, size: in.IfMatchSize, bypass: bypassed(ctx) || deref(in.BypassGovernanceRetention),
	}
	if err := checkKey(d.key); err != nil {
		return nil, err
	}
	out := &s3.DeleteObjectOutput{}
	err := s.updateBucket(deref(in.Bucket), false, func(b *bucket) error {
		marker, id, err := b.delete(d)
		out.DeleteMarker, out.VersionId = &marker, &id
		return err
	})
	return out, commitError(err)
}

// DeleteObjects deletes many keys in one transaction, each under its own condition.
func (s *Store) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	var out s3response.DeleteResult
	if in.Delete == nil || len(in.Delete.Objects) > maxDeletes {
		return out, s3err.GetAPIError(s3err.ErrMalformedXML)
	}
	bypass := bypassed(ctx) || deref(in.BypassGovernanceRetention)
	err := s.updateBucket(deref(in.Bucket), false, func(b *bucket) error {
		out = s3response.DeleteResult{}
		for _, o := range in.Delete.Objects {
			d := deletion{key: deref(o.Key), version: deref(o.VersionId), modified: o.LastModifiedTime, size: o.Size, bypass: bypass}
			if o.ETag != nil {
				d.match = ptr(strings.Trim(*o.ETag, `"`))
			}
			marker, id, err := b.delete(d)
			var refusal s3err.S3Error
			switch {
			case errors.As(err, &refusal):
				base := refusal.BaseError()
				out.Error = append(out.Error, types.Error{Key: o.Key, VersionId: o.VersionId, Code: &base.Code, Message: &base.Description})
			case err != nil:
				return b.t.fail(err)
			default:
				done := types.DeletedObject{Key: o.Key, VersionId: o.VersionId}
				if marker {
					done.DeleteMarker, done.DeleteMarkerVersionId = ptr(true), &id
				}
				out.Deleted = append(out.Deleted, done)
			}
		}
		return nil
	})
	return out, commitError(err)
}
