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
	s, err := v.lockSubject(ctx, n)
	if err != nil {
		return err
	}
	found, err := s.probe(ctx, true)
	switch {
	case errors.Is(err, store.ErrAccessDenied):
		return nil // proveInit says so
	case err != nil:
		return s.explain(err)
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
	header := v.Bucket.Server()
	subjects, err := v.subjects(ctx, true)
	if err != nil {
		return err
	}
	files := subjects[0]
	known, recalled := v.recall(files, header)
	_, stays, err := files.stays(ctx, known, recalled)
	if err != nil {
		return err
	}
	probes := true
	if stays {
		question := fmt.Sprintf("What is written to bucket %s stays, and some 170 small versions below %s would prove its server. Write them?", v.Source.Bucket, store.ProbePrefix)
		if err := o.Confirm(question); err != nil {
			o.Say("server: not proved, since what that writes to bucket %s would stay: %v", v.Source.Bucket, err)
			probes = false
		}
	}
	lessons := v.each(subjects, func(s subject) (l lesson) {
		l.known, l.recalled = v.recall(s, header)
		switch {
		case s.files() && !probes:
			return l
		case !s.files() && v.table != nil:
			l.found = *v.table
		default:
			l.found, l.err = s.probe(ctx, true)
		}
		l.probed, l.races = true, true
		return l
	})
	p := Proving{Versioned: true, Say: func(_ bool, line string) { o.Say("server: %s", line) }}
	if err := v.conclude(ctx, subjects, lessons, header, p); err != nil {
		return err
	}
	if err := v.refuseTable(v.lockVerdict.Flaws); err != nil {
		return err
	}
	switch mode, line := judge(v.server(), v.Verdict.Flaws, false); {
	case mode == ReadOnly:
		return errors.New(line)
	case line != "":
		p.Say(true, line)
	case probes && lessons[0].err == nil:
		p.Say(false, v.server()+" does all that a mount relies on")
	}
	return nil
}
