package volume

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/store"
)

// proveTable refuses a bucket as lock table whose server does not keep the conditions of PUT, before
// anything is bound to it. A local source's is proved at the mount.
func (v *Volume) proveTable(ctx context.Context, n TableName) error {
	if v.Source.Local != "" || n.Backend != BackendS3 {
		return nil
	}
	found, err := v.probeTable(ctx, n, true)
	switch {
	case errors.Is(err, store.ErrAccessDenied):
		return nil // proveInit says so
	case err != nil:
		return v.at.explainBucket(err)
	}
	v.table = &found
	return v.refuseTable(found.Flaws)
}

// proveInit proves the server with racers, and says how its bucket can be mounted. It fails if that
// is read-only at most.
func (v *Volume) proveInit(ctx context.Context, o InitOptions) error {
	if v.fresh && v.at.onAWS() {
		// What was just switched on may not be in effect everywhere yet.
		o.Say("server: AWS, which a mount takes as proved")
		return nil
	}
	kept, err := v.keeps(ctx)
	if err != nil {
		return err
	}
	known, _ := v.known()
	if kept || known.Kept {
		question := fmt.Sprintf("What is written to bucket %s stays, and some 170 small versions below %s would prove its server. Write them?", v.Source.Bucket, store.ProbePrefix)
		if err := o.Confirm(question); err != nil {
			o.Say("server: not proved, since what that writes to bucket %s would stay: %v", v.Source.Bucket, err)
			return nil
		}
	}
	p := Proving{Versioned: true, Say: func(_ bool, line string) { o.Say("server: %s", line) }}
	proved, err := v.probe(ctx, known, true, p)
	if err != nil || !proved {
		return err
	}
	if err := v.refuseTable(v.Verdict.Table); err != nil {
		return err
	}
	switch mode, line := judge(v.server(), v.Verdict.Flaws, false); {
	case mode == ReadOnly:
		return errors.New(line)
	case line != "":
		p.Say(true, line)
	default:
		p.Say(false, v.server()+" does all that a mount relies on")
	}
	return nil
}
