package doctor

import (
	"context"

	"github.com/latchfs/latchfs/internal/volume"
)

// Options of Run.
type Options struct {
	volume.Options
	// NoProbe: the server is not tried, which would write; what bucket.json knows of it is told.
	NoProbe bool
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
	there := checkBucket(ctx, v)
	tell(there)
	if there.Status == Fail {
		return nil // all else would fail for the same reason
	}
	tell(checkClock(v.Bucket))
	versioning, retention := checkVersioning(ctx, v.Bucket), checkRetention(ctx, v.Bucket)
	tell(versioning)
	tell(retention)
	tell(checkBond(ctx, v))
	tell(checkTable(ctx, v))
	permissions := checkPermissions(ctx, v)
	for _, l := range permissions {
		tell(l)
	}
	for _, l := range checkServer(ctx, v, o.prover(retention, permissions), versioning.Status == OK) {
		tell(l)
	}
	for _, l := range checkKeys(ctx, v.Bucket, v.Source.Prefix) {
		tell(l)
	}
	tell(checkUploads(ctx, v.Bucket, v.Source.Prefix))
	tell(checkLeftovers(ctx, v.Bucket))
	return context.Cause(ctx)
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
		if l.Action == "s3:DeleteObjectVersion" && l.Status != OK {
			return prover{unsafe: "what that writes could not be removed (see s3:DeleteObjectVersion)"}
		}
	}
	return prover{}
}
