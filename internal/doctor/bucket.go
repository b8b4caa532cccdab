package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/store"
)

// checkBucket: the bucket is there and answers.
func checkBucket(ctx context.Context, v *volume.Volume) Line {
	const check = "bucket"
	err := v.Check(ctx)
	if errors.Is(err, store.ErrAccessDenied) {
		// The answer to a HEAD does not say whether the keys are wrong or may not do this.
		_, listed := v.Bucket.List(ctx, store.ListOptions{Prefix: store.ProbePrefix, Max: 1})
		if denied, ok := errors.AsType[*store.AttemptError](listed); ok && denied.Code == "AccessDenied" {
			return Line{Check: check, Status: Warn, Found: fmt.Sprintf("%s at %s may not be listed, nor asked whether it is there", v.Source.Bucket, v.Where()),
				Advice: "see s3:ListBucket"}
		}
	}
	if err != nil {
		return Line{Check: check, Status: Fail, Found: oneLine(err)}
	}
	return ok(check, "%s is at %s", v.Source.Bucket, v.Where())
}

// checkVersioning: without versions there is no history, and a reader loses what it reads when
// somebody else writes.
func checkVersioning(ctx context.Context, c *store.Client) Line {
	const check = "versioning"
	state, err := c.Versioning(ctx)
	const lost = "nothing is kept in .versions, an overwritten or removed file is gone, and whoever reads a file while it is replaced gets ESTALE"
	const advice = "switch it on: aws s3api put-bucket-versioning --versioning-configuration Status=Enabled"
	switch {
	case err != nil:
		return undecided(check, err)
	case state == store.VersioningOn:
		return ok(check, "on")
	case state == store.VersioningSuspended:
		return Line{Check: check, Status: Warn, Found: "suspended: what was written before has its versions; of new writes " + lost, Advice: advice}
	}
	return Line{Check: check, Status: Warn, Found: "off: " + lost, Advice: advice}
}

// checkRetention: a default rule retains everything that makes a version.
func checkRetention(ctx context.Context, c *store.Client) Line {
	const check = "object-lock"
	rule, err := c.DefaultRetention(ctx)
	switch {
	case err != nil:
		return undecided(check, err)
	case rule == store.Retention{}:
		return ok(check, "no default rule")
	}
	return Line{Check: check, Status: Warn, Found: fmt.Sprintf("default rule: %s", rule),
		Advice: "be aware that every close makes a version that cannot be removed until then, of temporary files of programs too"}
}
