package s3table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/internal/awserr"
	"github.com/latchfs/latchfs/lockmgr"
)

// readsAtOnce bounds the records that are read at a time while they are listed.
const readsAtOnce = 16

var _ lockmgr.Records = (*Table)(nil)

// Records implements lockmgr.Records: a request for each thousand records and one for each of
// them. One that cannot be read is given as such, and those after it are read all the same. Mail of a session without a record is given as a session that is Missing.
func (t *Table) Records(ctx context.Context, use func(lockmgr.Record) error) error {
	have := map[string]bool{}
	err := t.each(ctx, sessionKey(""), func(ctx context.Context, key string) (lockmgr.Record, error) {
		var rec session
		etag, err := t.get(ctx, t.api, "records", key, &rec)
		s := rec.public(strings.TrimPrefix(key, sessionKey("")), etag)
		return lockmgr.Record{Session: &s, Rev: etag}, err
	}, func(r lockmgr.Record) error {
		have[r.Session.SID] = true
		return use(r)
	})
	if err != nil {
		return err
	}
	if err := t.mailOfNobody(ctx, have, use); err != nil {
		return err
	}
	return t.each(ctx, "v1/lock/", func(ctx context.Context, key string) (lockmgr.Record, error) {
		var rec lock
		etag, err := t.get(ctx, t.api, "records", key, &rec)
		l := rec.public()
		switch l.Name = string(rec.Name); {
		case err == nil && etag != "" && lockKey(l.Name) != key:
			err = fmt.Errorf("lock bucket %s: %q is of another name: %w", t.bucket, key, lockmgr.ErrForeignTable)
			fallthrough
		case err != nil:
			l = lockmgr.Lock{Name: key}
		}
		return lockmgr.Record{Lock: &l, Rev: etag}, err
	}, use)
}

// each reads the records below a prefix, some at a time, and gives them to use one after the
// other. What has gone meanwhile is left out.
func (t *Table) each(ctx context.Context, prefix string, read func(ctx context.Context, key string) (lockmgr.Record, error), use func(lockmgr.Record) error) error {
	return t.pages(ctx, prefix, "", func(out *s3.ListObjectsV2Output) error {
		for from := 0; from < len(out.Contents); from += readsAtOnce {
			some := out.Contents[from:min(from+readsAtOnce, len(out.Contents))]
			results := make([]lockmgr.Record, len(some))
			var reads sync.WaitGroup
			for i, o := range some {
				reads.Go(func() {
					r, err := lockmgr.Insist(ctx, func(ctx context.Context) (lockmgr.Record, error) { return read(ctx, aws.ToString(o.Key)) })
					r.Err = err
					results[i] = r
				})
			}
			reads.Wait()
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if len(results) > 1 && !slices.ContainsFunc(results, func(r lockmgr.Record) bool { return !errors.Is(r.Err, lockmgr.ErrUnavailable) }) {
				return results[0].Err // it is not about each of them
			}
			for _, r := range results {
				switch {
				case r.Err != nil && !errors.Is(r.Err, lockmgr.ErrUnavailable) && !errors.Is(r.Err, lockmgr.ErrForeignTable):
					return r.Err // it is not about this record
				case r.Err == nil && r.Rev == "":
					continue
				}
				if err := use(r); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// mailOfNobody gives the sessions that have mail and no record.
func (t *Table) mailOfNobody(ctx context.Context, have map[string]bool, use func(lockmgr.Record) error) error {
	return t.pages(ctx, "v1/mail/", "/", func(out *s3.ListObjectsV2Output) error {
		for _, p := range out.CommonPrefixes {
			sid := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), "v1/mail/"), "/")
			if have[sid] {
				continue
			}
			if err := use(lockmgr.Record{Session: &lockmgr.Session{SID: sid}}); err != nil {
				return err
			}
		}
		return nil
	})
}

// pages calls use with each page of a listing.
func (t *Table) pages(ctx context.Context, prefix, delimiter string, use func(*s3.ListObjectsV2Output) error) error {
	in := &s3.ListObjectsV2Input{Bucket: &t.bucket, Prefix: &prefix}
	if delimiter != "" {
		in.Delimiter = &delimiter
	}
	for {
		out, err := lockmgr.Insist(ctx, func(ctx context.Context) (*s3.ListObjectsV2Output, error) {
			t.requests.Add("records")
			out, err := t.api.ListObjectsV2(ctx, in)
			return out, t.explain("records", err)
		})
		if err != nil {
			return err
		}
		if err := use(out); err != nil {
			return err
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		if aws.ToString(out.NextContinuationToken) == "" {
			return fmt.Errorf("lock bucket %s: a listing is cut off without a way to continue it: %w", t.bucket, lockmgr.ErrUnavailable)
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

// Removable implements lockmgr.Records.
func (t *Table) Removable() error {
	if t.removes.Load() {
		return nil
	}
	return fmt.Errorf("lock bucket %s: %w", t.bucket, lockmgr.ErrNoRemoval)
}

// Remove implements lockmgr.Records. The mail of a session goes first: what is left of it if that
// fails is found again.
func (t *Table) Remove(ctx context.Context, r lockmgr.Record) (bool, error) {
	if err := t.Removable(); err != nil {
		return false, err
	}
	if r.Lock != nil {
		return t.removeSeen(ctx, lockKey(r.Lock.Name), r.Rev)
	}
	mail := 0
	err := t.pages(ctx, mailPrefix(r.Session.SID), "", func(out *s3.ListObjectsV2Output) error {
		for _, o := range out.Contents {
			t.requests.Add("remove")
			_, err := t.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.bucket, Key: o.Key})
			if err != nil && awserr.KindOf(err) != awserr.NotFound {
				return t.explain("remove", err)
			}
			mail++
		}
		return nil
	})
	if err != nil || r.Rev == "" {
		return err == nil && mail > 0, err
	}
	return t.removeSeen(ctx, sessionKey(r.Session.SID), r.Rev)
}

// removeSeen removes a record in the state that was seen, and tells whether it was there.
func (t *Table) removeSeen(ctx context.Context, key, etag string) (bool, error) {
	err := t.remove(ctx, "remove", key, etag)
	if errors.Is(err, errChanged) {
		return false, nil
	}
	return err == nil, err
}
