package doctor

import (
	"cmp"
	"context"

	"github.com/latchfs/latchfs/internal/volume"
)

// Options of Run.
type Options struct {
	volume.Options
	// NoProbe: the server is not tried, which would write; what bucket.json knows of it is told.
	NoProbe bool
	// VersionsDir is the name by which the mounts show versions; "": .versions; "off": they show none.
	VersionsDir string
}

// Run makes all checks of a source and hands each line to tell as soon as it is known. It fails
// only where there is nothing to look at: no credentials, no configuration, no folder.
func Run(ctx context.Context, o Options, tell func(Line)) error {
	o.Existing = true
	v, err := volume.Dial(ctx, o.Options)
	if err != nil {
		return err
	}
	defer v.Close()
	var versioning, retention Line
	var unseen bool // the lock table
	var permissions []Line
	one := func(l Line) []Line { return []Line{l} }
	for i, check := range []func() []Line{
		func() []Line { return one(checkBucket(ctx, v)) },
		func() []Line { return one(checkClock(v.Bucket)) },
		func() []Line { versioning = checkVersioning(ctx, v.Bucket); return one(versioning) },
		func() []Line { retention = checkRetention(ctx, v.Bucket); return one(retention) },
		func() []Line { return one(checkLifecycle(ctx, v.Bucket)) },
		func() []Line { return one(checkBond(ctx, v)) },
		func() (lines []Line) { lines = make([]Line, 1); lines[0], unseen = checkTable(ctx, v); return lines },
		func() []Line { permissions = checkPermissions(ctx, v, unseen); return permissions },
		func() []Line {
			return checkServer(ctx, v, o.prover(retention, permissions), versioning.Status == OK, unseen)
		},
		func() []Line { return checkKeys(ctx, v.Bucket, v.Source.Prefix, cmp.Or(o.VersionsDir, versionsDir)) },
		func() []Line { return one(checkUploads(ctx, v.Bucket, v.Source.Prefix)) },
		func() []Line { return leftovers(ctx, v, unseen) },
	} {
		lines := check()
		if ctx.Err() != nil { // what a check made of that is nobody's business
			return context.Cause(ctx)
		}
		for _, l := range lines {
			tell(l)
		}
		if i == 0 && lines[0].Status == Fail {
			return nil // all else would fail for the same reason
		}
	}
	return nil
}

// prover says whether a probe of the server may write: it must be able to remove what it wrote.
func (o Options) prover(retention Line, permissions []Line) prover {
	if o.NoProbe {
		return prover{unsafe: "--no-probe", asked: true}
	}
	if retention.Status != OK {
		return prover{unsafe: "what that writes may be retained (see object-lock)"}
	}
	for _, l := range permissions {
		if (l.Action == "s3:DeleteObjectVersion" || l.Action == "s3:AbortMultipartUpload") && l.Status != OK {
			return prover{unsafe: "what that writes could not be removed (see " + l.Action + ")"}
		}
	}
	return prover{}
}
