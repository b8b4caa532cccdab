package volume

import (
	"context"
	"errors"
	"slices"

	"github.com/latchfs/latchfs/store"
)

// tableFlaws are those that are looked for in the bucket of a lock table. Locks rest on the
// conditions of PUT; by those of DELETE records of locks that nobody holds are removed.
const tableFlaws = store.PutConditions | store.DeleteConditions

// A subject is what is proved by itself: the bucket for files, or that of its lock table.
type subject struct {
	bucket    *store.Client
	name      string // of the bucket
	where     string // in messages
	table     string // as in store.Verdict; "" for the bucket for files
	versioned bool
	only      store.Flaws
	explain   func(error) error
}

func (s subject) files() bool { return s.table == "" }

// lockTableName is what verdicts call the lock table of a bond.
func lockTableName(b store.BucketConfig) string { return boundTable(b).String() + " " + b.Lock.TableID }

// subjects are the bucket for files and, if the lock table is in a bucket, that one.
func (v *Volume) subjects(ctx context.Context, versioned bool) ([]subject, error) {
	all := []subject{{bucket: v.Bucket, name: v.Source.Bucket, where: "bucket " + v.Source.Bucket, versioned: versioned, explain: v.at.explainBucket}}
	n := boundTable(*v.Bond)
	if n.Backend != BackendS3 {
		return all, nil
	}
	lock, err := v.lockSubject(ctx, n)
	lock.table = lockTableName(*v.Bond)
	return append(all, lock), err
}

// lockSubject is the bucket of a lock table.
func (v *Volume) lockSubject(ctx context.Context, n TableName) (subject, error) {
	bucket, err := v.at.bucket(ctx, n.Table, store.Options{Log: v.log})
	return subject{bucket: bucket, name: n.Table, where: "the bucket of lock table " + n.String(), table: n.String(), only: tableFlaws,
		explain: func(err error) error { return v.explainTable(ofTable(err), n) }}, err
}

func (s subject) probe(ctx context.Context, races bool) (store.Probed, error) {
	return s.bucket.Probe(ctx, store.ProbeOptions{Versioned: s.versioned, Races: races, Only: s.only})
}

// A lesson is what a process has learned of a subject.
type lesson struct {
	known    store.Verdict // in bucket.json
	recalled bool          // there is one
	rule     bool          // Object Lock would keep what a probe writes
	probed   bool
	races    bool // the probe was with racers
	found    store.Probed
	err      error // of the probe, or of what has to be asked before it
}

// learn probes a subject, if what that writes does not stay; with racers if something is not known.
func (v *Volume) learn(ctx context.Context, s subject, header string) (l lesson) {
	l.known, l.recalled = v.recall(s, header)
	if v.at.onAWS() {
		return l
	}
	var stays bool
	if l.rule, stays, l.err = s.stays(ctx, l.known, l.recalled); l.err != nil || stays {
		return l
	}
	l.probed, l.races = true, !l.recalled || l.known.Unknown != 0
	l.found, l.err = s.probe(ctx, l.races)
	return l
}

// stays tells whether what a probe writes would stay: because of a default rule of Object Lock; or, where something
// is known already, since these credentials may not remove it. That is asked anew each time: others may.
// Who may not ask for the rule goes by what the last probe has met.
func (s subject) stays(ctx context.Context, known store.Verdict, recalled bool) (rule, stays bool, err error) {
	var retention store.Retention
	if s.files() {
		retention, err = s.bucket.DefaultRetention(ctx)
	}
	switch {
	case errors.Is(err, store.ErrAccessDenied) && known.Kept:
		return false, true, nil
	case err != nil && !errors.Is(err, store.ErrAccessDenied):
		return false, false, s.explain(err)
	case retention != store.Retention{}:
		return true, true, nil
	case !recalled:
		return false, false, nil
	}
	var shown store.Flaws // by what it may
	for _, r := range s.removals() {
		denied, err := lacks(ctx, r.try)
		if err != nil {
			return false, false, s.explain(err)
		}
		if denied {
			stays = true
		} else {
			shown |= r.shows
		}
	}
	return false, stays && !known.Unknown.Has(shown), nil
}

// lacks tells whether these credentials may not make a request.
func lacks(ctx context.Context, try func(context.Context) error) (bool, error) {
	err := try(ctx)
	switch {
	case errors.Is(err, store.ErrAccessDenied):
		return true, nil
	case errors.Is(err, store.ErrNotImplemented):
		return false, nil
	}
	return false, err
}

// A removal is a kind of request that removes what a probe has made.
type removal struct {
	op    string
	try   func(context.Context) error // changes nothing
	shows store.Flaws                 // what only those see who may make it
}

// removals are those that a probe of the subject needs.
func (s subject) removals() []removal {
	object := removal{"Delete", s.bucket.TryDelete, store.DeleteConditions}
	upload := removal{"AbortUpload", s.bucket.TryAbort, store.AbortHarms}
	switch {
	case !s.files():
		return []removal{object}
	case s.versioned:
		return []removal{upload, {"DeleteVersion", s.bucket.TryDeleteVersion, 0}}
	}
	return []removal{upload, object}
}

// inPart tells whether something could not be asked that others may ask who go by the verdict. What cannot be removed is
// no such thing: who may not do that goes by it, see stays.
func (s subject) inPart(found store.Probed) bool {
	return slices.ContainsFunc(found.Denied, func(op string) bool {
		return !slices.ContainsFunc(s.removals(), func(r removal) bool { return r.op == op })
	})
}

// verdict is what is known after a probe. What racers showed earlier stays true, and what another one could
// ask and this one could not.
func (s subject) verdict(l lesson) store.Verdict {
	now := store.Verdict{Flaws: l.found.Flaws, Races: l.found.Races, Kept: l.found.Kept}
	if !l.races {
		now.Flaws |= l.known.Races
		now.Races = l.known.Races &^ l.found.Flaws
	}
	for _, r := range s.removals() {
		if slices.Contains(l.found.Denied, r.op) {
			now.Unknown |= r.shows
		}
	}
	if l.recalled {
		now.Flaws |= l.known.Flaws & now.Unknown
		now.Unknown &= l.known.Unknown
	}
	return now
}
