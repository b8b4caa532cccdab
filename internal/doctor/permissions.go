package doctor

import (
	"context"

	"github.com/latchfs/latchfs/internal/iam"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/store"
)

// A thing is an object that reads are tried on; one that is there, if there is any: of what is not
// there S3 says so only to those who may list the bucket.
type thing struct {
	key, version string
	missing      bool
}

// findThing looks for the bond, and for the id of its version.
func findThing(ctx context.Context, c *store.Client, bond bool) thing {
	t := thing{key: store.BucketConfigKey, missing: !bond}
	if page, err := c.List(ctx, store.ListOptions{Prefix: t.key, Max: 1}); err == nil && len(page.Objects) > 0 {
		t.missing = t.missing && page.Objects[0].Key != t.key
	}
	if page, err := c.ListVersions(ctx, store.VersionOptions{Prefix: t.key, Max: 1}); err == nil && len(page.Versions) > 0 && !page.Versions[0].Deleted {
		t.version = page.Versions[0].Info.VersionID
	}
	return t
}

// bucketTrials are those of a bucket.
func bucketTrials(c *store.Client, on thing) []trial {
	// Where nothing is, a read is refused to those who may not list either.
	absent := func(there bool) []string {
		if there {
			return nil
		}
		return []string{"s3:ListBucket"}
	}
	ifMatch := []string{"s3:GetObject"}
	version := on.version
	if version == "" {
		version = "null"
	}
	return []trial{
		{"s3:ListBucket", nil, func(ctx context.Context) error {
			_, err := c.List(ctx, store.ListOptions{Prefix: store.ProbePrefix, Max: 1})
			return err
		}},
		{"s3:ListBucketVersions", nil, func(ctx context.Context) error {
			_, err := c.ListVersions(ctx, store.VersionOptions{Prefix: store.ProbePrefix, Max: 1})
			return err
		}},
		{"s3:GetBucketVersioning", nil, func(ctx context.Context) error {
			_, err := c.Versioning(ctx)
			return err
		}},
		{"s3:GetBucketObjectLockConfiguration", nil, func(ctx context.Context) error {
			_, err := c.DefaultRetention(ctx)
			return err
		}},
		{"s3:ListBucketMultipartUploads", nil, func(ctx context.Context) error {
			_, err := c.ListUploads(ctx, store.UploadOptions{Prefix: store.ProbePrefix, Max: 1})
			return err
		}},
		{"s3:GetObject", absent(!on.missing), func(ctx context.Context) error { return c.TryGet(ctx, on.key, "") }},
		{"s3:GetObjectVersion", absent(on.version != ""), func(ctx context.Context) error { return c.TryGet(ctx, on.key, version) }},
		{"s3:GetObjectTagging", absent(!on.missing), func(ctx context.Context) error { return c.TryTags(ctx, on.key, "") }},
		{"s3:GetObjectVersionTagging", absent(on.version != ""), func(ctx context.Context) error { return c.TryTags(ctx, on.key, version) }},
		{"s3:PutObject", ifMatch, func(ctx context.Context) error { return c.TryPut(ctx, "") }},
		{"s3:PutObjectTagging", []string{"s3:PutObject", "s3:GetObject"}, func(ctx context.Context) error { return c.TryPut(ctx, "latchfs=probe") }},
		{"s3:DeleteObject", ifMatch, c.TryDelete},
		{"s3:DeleteObjectVersion", nil, c.TryDeleteVersion},
		{"s3:AbortMultipartUpload", nil, c.TryAbort},
	}
}

// lockBucketTrials are those of the bucket of a lock table, of which less is asked.
func lockBucketTrials(c *store.Client) (trials []trial) {
	wanted := map[string]bool{}
	for _, a := range iam.On(iam.LockBucket, iam.LockObjects) {
		wanted[a.Name] = true
	}
	for _, t := range bucketTrials(c, thing{key: store.ProbePrefix + "nothing", missing: true}) {
		if wanted[t.action] {
			trials = append(trials, t)
		}
	}
	return trials
}

// A trier makes a request that shows whether an action of its service is granted.
type trier interface {
	Try(ctx context.Context, action string) error
}

// checkPermissions: each action that a mount, doctor or init needs and that can be tried without
// changing anything, by its name. Of a lock table that is unseen nothing is tried.
func checkPermissions(ctx context.Context, v *volume.Volume, unseen bool) []Line {
	const check, lockCheck = "permission", "lock-permission"
	names := v.Names()
	found := try(ctx, bucketTrials(v.Bucket, findThing(ctx, v.Bucket, v.Bond != nil)))
	lines := found.lines(check, iam.On(iam.Bucket, iam.Objects), names)
	if v.Bond == nil {
		return lines
	}
	if unseen {
		return append(lines, notSeen(lockCheck))
	}
	bucket, err := v.LockBucket(ctx)
	if err != nil {
		return append(lines, undecided(lockCheck, err))
	}
	if bucket != nil {
		found = try(ctx, lockBucketTrials(bucket))
		return append(lines, found.lines(lockCheck, iam.On(iam.LockBucket, iam.LockObjects), names)...)
	}
	table, err := v.Table(ctx)
	if err != nil {
		return append(lines, undecided(lockCheck, err))
	}
	if t, ok := table.(trier); ok {
		found = try(ctx, tableTrials(t))
		lines = append(lines, found.lines(lockCheck, iam.On(iam.LockTable), names)...)
	}
	return lines
}

// tableTrials are those of a table in DynamoDB.
func tableTrials(t trier) (trials []trial) {
	for _, name := range []string{"GetItem", "UpdateItem", "DeleteItem", "DescribeTable", "Scan", "PutItem"} {
		trials = append(trials, trial{"dynamodb:" + name, nil, func(ctx context.Context) error {
			return patiently(ctx, func(ctx context.Context) error { return t.Try(ctx, name) })
		}})
	}
	return trials
}
