package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/store"
)

// served are the groups of what a mount relies on, in the order of the lines: the name of the check,
// what a server does that has not the flaw, and the requests that show it.
var served = []struct {
	flaw store.Flaws
	does string
	by   []string
}{
	{store.PutConditions, "PutObject keeps If-Match and If-None-Match", []string{"Put"}},
	{store.CompleteConditions, "CompleteMultipartUpload keeps If-Match and If-None-Match", []string{"CreateUpload", "UploadPart", "CompleteUpload"}},
	{store.DeleteConditions, "DeleteObject keeps If-Match", []string{"Delete"}},
	{store.CopyConditions, "CopyObject keeps conditions on target and source", []string{"Copy"}},
	{store.PartSource, "UploadPartCopy keeps conditions on its source", []string{"CreateUpload", "CopyPart"}},
	{store.AbortHarms, "AbortMultipartUpload leaves the object as it is", []string{"CreateUpload", "AbortUpload"}},
	{store.WrongReads, "GetObject reads the version and range that it is asked for", []string{"Get"}},
	{store.WrongHistory, "ListObjectVersions lists all versions in their order", []string{"ListVersions"}},
}

// tableFlaws are those that matter in the bucket of a lock table.
const tableFlaws = store.PutConditions | store.DeleteConditions

// A proof is what is known of a server.
type proof struct {
	store.Probed
	known bool
	// about is the line that says how it is known.
	about Line
}

// A prover lets a server show what it does.
type prover struct {
	server string // in messages
	// unsafe says why nothing may be written, "" if it may; asked: because the user does not want it.
	unsafe string
	asked  bool
	// verdict is what bucket.json knows; recalled: it knows something.
	verdict  store.Verdict
	recalled bool
}

// prove tries the server on a bucket, or goes by flaws, which the verdict has of it.
func (s prover) prove(ctx context.Context, check string, c *store.Client, flaws store.Flaws, o store.ProbeOptions) (p proof) {
	not := s.unsafe
	if not == "" {
		found, err := c.Probe(ctx, o)
		if p.Probed, p.known = found, err == nil; err != nil {
			not = oneLine(err)
		}
	}
	switch {
	case p.known && p.Left > 0:
		p.about = Line{Status: Warn, Found: fmt.Sprintf("%s was tried, with racers; %d small objects, versions or uploads could not be removed again", s.server, p.Left),
			Advice: "see s3:DeleteObjectVersion, s3:AbortMultipartUpload and object-lock"}
	case p.known:
		p.about = ok(check, "%s was tried, with racers", s.server)
	case s.recalled:
		p.Probed, p.known = store.Probed{Flaws: flaws}, true
		p.about = ok(check, "%s was tried at %s, and not now: %s", s.server, s.verdict.Date.UTC().Format(time.RFC3339), not)
		if !s.asked {
			p.about.Status, p.about.Advice = Warn, "see to that if the server has changed since"
		}
	default:
		p.about = Line{Status: Warn, Found: s.server + " was not tried: " + not, Advice: "see to that, then run doctor again"}
	}
	p.about.Check = check
	return p
}

// checkServer lets the server show what it does with conditions, reads and listings, on the bucket
// and on the bucket of the lock table: with racers, as init does, and without keeping the verdict.
func checkServer(ctx context.Context, v *volume.Volume, s prover, versioned, unseen bool) []Line {
	s.server = v.Server()
	s.verdict, s.recalled = v.Known()
	p := s.prove(ctx, "server", v.Bucket, s.verdict.Flaws, store.ProbeOptions{Versioned: versioned, Races: true})
	lines := p.lines(^store.Flaws(0), "")
	if v.Bond == nil {
		return lines
	}
	if unseen {
		if inBucket(v) {
			lines = append(lines, notSeen("lock-server"))
		}
		return lines
	}
	if bucket, err := v.LockBucket(ctx); err == nil && bucket != nil {
		s.verdict, s.recalled = v.KnownTable()
		p = s.prove(ctx, "lock-server", bucket, s.verdict.Flaws, store.ProbeOptions{Races: true, Only: tableFlaws})
		lines = append(lines, p.lines(tableFlaws, v.DynamoCommand())...)
	}
	return lines
}

// lines says how it is known, then one line for each group of what was looked for. Of the bucket of a lock
// table move is the command that moves the locks elsewhere.
func (p proof) lines(of store.Flaws, move string) []Line {
	lines := []Line{p.about}
	for _, s := range served {
		if !of.Has(s.flaw) || !p.known {
			continue
		}
		l := ok(p.about.Check+"-"+s.flaw.String(), "%s", s.does)
		mode, fails, follows := volume.JudgeFlaw(s.flaw)
		switch {
		case p.Flaws.Has(s.flaw):
			l.Status, l.Found, l.Advice = Warn, fails, follows
			if mode != volume.ReadWrite {
				l.Status = Fail
			}
			if of == tableFlaws {
				l = lockFlaw(l, s.flaw, move)
			}
		case p.denies(s.by):
			l.Status, l.Found, l.Advice = Warn, "not known: these credentials may not make the request", "see the permissions above"
		}
		lines = append(lines, l)
	}
	return lines
}

// lockFlaw says what a flaw does to locks.
func lockFlaw(l Line, f store.Flaws, move string) Line {
	if f.Has(store.PutConditions) {
		l.Status, l.Advice = Fail, "two hosts could hold one lock; keep the locks in DynamoDB with "+move+", or use another server"
		return l
	}
	l.Status, l.Advice = Warn, "records of locks that nobody holds stay in the bucket; nothing has to be done"
	return l
}

func (p proof) denies(requests []string) bool {
	for _, r := range requests {
		for _, d := range p.Denied {
			if d == r {
				return true
			}
		}
	}
	return false
}
