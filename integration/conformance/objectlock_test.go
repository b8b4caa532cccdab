package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// objectLocks are the rows on retention and legal hold.
func (e *s3Server) objectLocks() []row {
	return []row{
		{id: "w02", title: "PUT with GOVERNANCE: HEAD shows, delete refused, bypass works", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.lock, "w02", []byte("x"), retained(types.ObjectLockModeGovernance, time.Hour))
			if err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			h, err := e.head(ctx, e.lock, "w02")
			if err != nil {
				return err
			}
			if h.ObjectLockMode != types.ObjectLockModeGovernance || h.ObjectLockRetainUntilDate == nil {
				return fmt.Errorf("HEAD shows mode %q", h.ObjectLockMode)
			}
			if err := e.deleteVersion(ctx, "w02", aws.ToString(r.VersionId), false); !refused(err) {
				return fmt.Errorf("delete of retained version: %s", code(err))
			}
			if err := e.deleteVersion(ctx, "w02", aws.ToString(r.VersionId), true); err != nil {
				return fmt.Errorf("bypass: %s", code(err))
			}
			return nil
		}},
		{id: "w03", title: "PUT with COMPLIANCE (8 s): bypass refused, shortening refused, delete fine after expiry", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.lock, "w03", []byte("x"), retained(types.ObjectLockModeCompliance, 8*time.Second))
			if err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			if err := e.deleteVersion(ctx, "w03", aws.ToString(r.VersionId), true); !refused(err) {
				return fmt.Errorf("bypass on compliance: %s", code(err))
			}
			_, err = e.c.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{Bucket: &e.lock, Key: p("w03"), VersionId: r.VersionId, Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeCompliance, RetainUntilDate: p(time.Now().Add(2 * time.Second))}})
			if !refused(err) {
				return fmt.Errorf("shortening: %s", code(err))
			}
			time.Sleep(9 * time.Second)
			if err := e.deleteVersion(ctx, "w03", aws.ToString(r.VersionId), false); err != nil {
				return fmt.Errorf("after expiry: %s", code(err))
			}
			return nil
		}},
		{id: "w04", title: "legal hold: on PUT, Get/Put, delete refused (with bypass too), off -> fine", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.lock, "w04", []byte("x"), func(i *s3.PutObjectInput) { i.ObjectLockLegalHoldStatus = types.ObjectLockLegalHoldStatusOn })
			if err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			g, err := e.c.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{Bucket: &e.lock, Key: p("w04")})
			if err != nil || g.LegalHold.Status != types.ObjectLockLegalHoldStatusOn {
				return fmt.Errorf("get: %s", code(err))
			}
			if err := e.deleteVersion(ctx, "w04", aws.ToString(r.VersionId), true); !refused(err) {
				return fmt.Errorf("delete held: %s", code(err))
			}
			if _, err := e.c.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{Bucket: &e.lock, Key: p("w04"), LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOff}}); err != nil {
				return fmt.Errorf("off: %s", code(err))
			}
			if err := e.deleteVersion(ctx, "w04", aws.ToString(r.VersionId), false); err != nil {
				return fmt.Errorf("after off: %s", code(err))
			}
			return nil
		}},
		{id: "w05", title: "overwrite and delete marker over a retained object fine; version kept", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.lock, "w05", []byte("1"), retained(types.ObjectLockModeGovernance, time.Hour))
			if err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			if _, err := e.put(ctx, e.lock, "w05", []byte("2"), ifMatch(*r.ETag)); err != nil {
				return fmt.Errorf("overwrite (If-Match): %s", code(err))
			}
			if _, err := e.del(ctx, e.lock, "w05"); err != nil {
				return fmt.Errorf("delete marker: %s", code(err))
			}
			g, _, err := e.get(ctx, e.lock, "w05", getVer(aws.ToString(r.VersionId)))
			if err != nil || string(g) != "1" {
				return fmt.Errorf("retained version: %s", code(err))
			}
			err = e.deleteVersion(ctx, "w05", aws.ToString(r.VersionId), false)
			if !refused(err) {
				return fmt.Errorf("retained non-current version deleted: %s", code(err))
			}
			return nil
		}},
		{id: "w06", title: "PutObjectRetention by version id; extend; Get", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.lock, "w06", []byte("1"))
			if err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			e.put(ctx, e.lock, "w06", []byte("2"))
			for _, d := range []time.Duration{time.Hour, 2 * time.Hour} {
				if _, err := e.c.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{Bucket: &e.lock, Key: p("w06"), VersionId: r.VersionId, Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeGovernance, RetainUntilDate: p(time.Now().Add(d))}}); err != nil {
					return fmt.Errorf("put retention +%s: %s", d, code(err))
				}
			}
			g, err := e.c.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: &e.lock, Key: p("w06"), VersionId: r.VersionId})
			if err != nil || time.Until(aws.ToTime(g.Retention.RetainUntilDate)) < 110*time.Minute {
				return fmt.Errorf("get retention: %s", code(err))
			}
			return wantRefused("delete", e.deleteVersion(ctx, "w06", aws.ToString(r.VersionId), false))
		}},
		{id: "w07", title: "bucket default retention applied to a plain PUT and to multipart", check: func(ctx context.Context) error {
			b := e.lock + "d"
			if _, err := e.c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b, ObjectLockEnabledForBucket: p(true)}); err != nil {
				return fmt.Errorf("create: %s", code(err))
			}
			if _, err := e.c.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{Bucket: &b, ObjectLockConfiguration: &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled, Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: p(int32(1))}}}}); err != nil {
				return fmt.Errorf("put config: %s", code(err))
			}
			r, err := e.put(ctx, b, "k", []byte("x"))
			if err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			_, derr := e.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b, Key: p("k"), VersionId: r.VersionId})
			if !refused(derr) {
				return fmt.Errorf("delete under default retention: %s", code(derr))
			}
			h, err := e.head(ctx, b, "k")
			if err != nil || h.ObjectLockMode != types.ObjectLockModeGovernance {
				return infof("enforced, but HEAD shows mode %q", h.ObjectLockMode)
			}
			id, ps, err := e.mpu(ctx, b, "m", [][]byte{data(1, 100)})
			if err != nil {
				return err
			}
			m, err := e.complete(ctx, b, "m", id, ps)
			if err != nil {
				return fmt.Errorf("complete: %s", code(err))
			}
			_, derr = e.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b, Key: p("m"), VersionId: m.VersionId})
			return wantRefused("delete multipart object under default retention", derr)
		}},
		{id: "w08", title: "multipart with retention headers at Create; copy with retention", check: func(ctx context.Context) error {
			until := p(time.Now().Add(time.Hour).UTC().Truncate(time.Second))
			id, ps, err := e.mpu(ctx, e.lock, "w08", [][]byte{data(1, 100)}, func(i *s3.CreateMultipartUploadInput) {
				i.ObjectLockMode = types.ObjectLockModeGovernance
				i.ObjectLockRetainUntilDate = until
			})
			if err != nil {
				return err
			}
			m, err := e.complete(ctx, e.lock, "w08", id, ps)
			if err != nil {
				return fmt.Errorf("complete: %s", code(err))
			}
			if err := wantRefused("delete mpu version", e.deleteVersion(ctx, "w08", aws.ToString(m.VersionId), false)); err != nil {
				return err
			}
			c, err := e.c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &e.lock, Key: p("w08c"), CopySource: p(e.lock + "/w08"), ObjectLockMode: types.ObjectLockModeGovernance, ObjectLockRetainUntilDate: until})
			if err != nil {
				return fmt.Errorf("copy: %s", code(err))
			}
			return wantRefused("delete copied version", e.deleteVersion(ctx, "w08c", aws.ToString(c.VersionId), false))
		}},
		{id: "w09", title: "retention header on a bucket without lock -> 400", check: func(ctx context.Context) error {
			_, err := e.put(ctx, e.plain, "w09", []byte("x"), retained(types.ObjectLockModeGovernance, time.Hour))
			return want("put", err, 400)
		}},
		{id: "w10", title: "refused delete of a retained version: code", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.lock, "w10", []byte("x"), retained(types.ObjectLockModeGovernance, time.Hour))
			if err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			err = e.deleteVersion(ctx, "w10", aws.ToString(r.VersionId), false)
			if code(err) != "403/AccessDenied" {
				return infof("%s (AWS: 403/AccessDenied)", code(err))
			}
			return nil
		}},
	}
}

// retained asks for a retention for the time d from now.
func retained(m types.ObjectLockMode, d time.Duration) putOpt {
	return func(i *s3.PutObjectInput) {
		i.ObjectLockMode = m
		i.ObjectLockRetainUntilDate = p(time.Now().Add(d).UTC().Truncate(time.Second))
	}
}

// deleteVersion deletes a version in the bucket with object lock.
func (e *s3Server) deleteVersion(ctx context.Context, k, id string, bypass bool) error {
	in := &s3.DeleteObjectInput{Bucket: &e.lock, Key: &k, VersionId: &id}
	if bypass {
		in.BypassGovernanceRetention = p(true)
	}
	_, err := e.c.DeleteObject(ctx, in)
	return err
}
