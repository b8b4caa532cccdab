package doctor

import (
	"context"

	"github.com/latchfs/latchfs/internal/volume"
)

// Run makes all checks of a source and hands each line to tell as soon as it is known. It fails
// only where there is nothing to look at: no credentials, no configuration, no folder.
func Run(ctx context.Context, o volume.Options, tell func(Line)) error {
	o.Existing = true
	v, err := volume.Dial(ctx, o)
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
	tell(checkVersioning(ctx, v.Bucket))
	tell(checkRetention(ctx, v.Bucket))
	tell(checkBond(ctx, v))
	tell(checkTable(ctx, v))
	for _, l := range checkPermissions(ctx, v) {
		tell(l)
	}
	for _, l := range checkKeys(ctx, v.Bucket, v.Source.Prefix) {
		tell(l)
	}
	tell(checkUploads(ctx, v.Bucket, v.Source.Prefix))
	tell(checkLeftovers(ctx, v.Bucket))
	return context.Cause(ctx)
}
