package volume

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// tableFlaws are those that are looked for in the bucket of a lock table. Locks rest on the
// conditions of PUT; by those of DELETE records of locks that nobody holds are removed.
const tableFlaws = store.PutConditions | store.DeleteConditions

// keepTime bounds the writing of a verdict, for which a mount waits. Without it more is asked the next
// time.
const keepTime = 10 * time.Second

// A Proving is how a server is proved.
type Proving struct {
	Versioned bool // the bucket keeps versions
	// Degraded: the user accepts a server that allows no more than Degraded.
	Degraded bool
	// Say is told in one line each what the user should know; warn says that it is to his harm.
	Say func(warn bool, line string)
}

// Prove proves what a read-write mount relies on, sets what the server does wrong in Bucket, and
// Verdict. On AWS, and where a probe may not write or cannot remove what it wrote, it goes by the verdict in
// bucket.json. It fails in one line if the server does not allow such a mount.
func (v *Volume) Prove(ctx context.Context, p Proving) error {
	known, ok := v.known()
	v.Verdict = known
	if !v.at.onAWS() {
		kept, err := v.keeps(ctx)
		switch {
		case err != nil:
			return err
		case kept && !ok:
			p.Say(true, fmt.Sprintf("%s is not proved: Object Lock would keep what that writes to bucket %s; to have it proved all the same run %s",
				v.server(), v.Source.Bucket, v.at.initCommand("")))
		case !kept && !known.Kept:
			if _, err := v.probe(ctx, known, !ok, p); err != nil {
				return err
			}
		}
	}
	return v.allow(p)
}

// allow sets what is known of the server in Bucket, and refuses a server that does not allow a
// read-write mount.
func (v *Volume) allow(p Proving) error {
	v.Bucket.SetFlaws(v.Verdict.Flaws)
	if err := v.refuseTable(v.Verdict.Table); err != nil {
		return err
	}
	mode, line := judge(v.server(), v.Verdict.Flaws, p.Degraded)
	if mode == ReadOnly || mode == Degraded && !p.Degraded {
		return errors.New(line)
	}
	if line != "" {
		p.Say(v.Verdict.Flaws.Has(store.DeleteConditions|store.CompleteConditions), line)
	}
	return nil
}

// Recall sets what bucket.json knows of the server, and gives one line if reads are wrong, else "".
// A read-only mount asks no more: a probe would write.
func (v *Volume) Recall() string {
	v.Verdict, _ = v.known()
	v.Bucket.SetFlaws(v.Verdict.Flaws)
	_, line := judge(v.server(), v.Verdict.Flaws&(store.WrongReads|store.WrongHistory), false)
	return line
}

// known gives what bucket.json knows of this server.
func (v *Volume) known() (store.Verdict, bool) {
	if v.Bond == nil {
		return store.Verdict{}, false
	}
	return v.Bond.Verdict(v.at.name(), v.Bucket.Server())
}

// name is what verdicts call the endpoint. The port of an embedded server is another one each time.
func (r *reach) name() string {
	switch {
	case r.src.Local != "":
		return "local"
	case r.onAWS():
		return "aws"
	}
	return strings.TrimRight(r.Endpoint, "/")
}

// server names the server in messages.
func (v *Volume) server() string {
	name := "the S3 server"
	if header := v.Bucket.Server(); header != "" {
		name += fmt.Sprintf(" %q", header)
	}
	return name + " at " + v.at.where()
}

// keeps tells whether Object Lock keeps what a probe writes. Who may not ask finds out by the probe.
func (v *Volume) keeps(ctx context.Context) (bool, error) {
	rule, err := v.Bucket.DefaultRetention(ctx)
	if err != nil && !errors.Is(err, store.ErrAccessDenied) {
		return false, v.at.explainBucket(err)
	}
	return rule != store.Retention{}, nil
}

// probe probes the bucket, and the lock table if it is in one, sets Verdict, and keeps what is new. It
// tells whether both could be probed; without that Verdict is what is known.
func (v *Volume) probe(ctx context.Context, known store.Verdict, races bool, p Proving) (bool, error) {
	n := boundTable(*v.Bond)
	var table store.Probed
	var tableErr error
	var both sync.WaitGroup
	both.Go(func() { table, tableErr = v.probeTable(ctx, n, races) })
	found, err := v.Bucket.Probe(ctx, store.ProbeOptions{Versioned: p.Versioned, Races: races})
	both.Wait()
	now := store.Verdict{Endpoint: v.at.name(), Server: v.Bucket.Server(), Date: time.Now(), Kept: found.Kept}
	bucketProved, err := v.proved(err, races, "bucket "+v.Source.Bucket, p)
	if err != nil {
		return false, err
	}
	if errors.Is(tableErr, store.ErrNoBucket) {
		return false, v.explainTable(lockmgr.ErrNoTable, n)
	}
	tableProved, err := v.proved(tableErr, races, "the bucket of lock table "+n.String(), p)
	if err != nil {
		return false, err
	}
	v.tellRest(found, v.Source.Bucket, p)
	v.tellRest(table, n.Table, p)
	now.Flaws, now.Races = join(found, bucketProved, known.Flaws, known.Races, races)
	now.Table, now.TableRaces = join(table, tableProved, known.Table, known.TableRaces, races)
	v.Verdict = now
	v.tableProved = tableProved && !inPart(table)
	// A verdict in part would be the whole one for whoever reads it.
	if !bucketProved || !tableProved || inPart(found) || inPart(table) || now.Same(known) {
		return bucketProved && tableProved, nil
	}
	keeping, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	if err := v.Bucket.KeepVerdict(keeping, now); err != nil {
		if ctx.Err() != nil {
			return true, context.Cause(ctx)
		}
		p.Say(false, fmt.Sprintf("what was found of %s is not kept, so that the next mount asks it more than it had to: %v", v.server(), err))
	}
	return true, nil
}

// inPart tells whether something could not be asked. To remove versions shows nothing of the server.
func inPart(found store.Probed) bool {
	return slices.ContainsFunc(found.Denied, func(op string) bool { return op != "DeleteVersion" })
}

// join gives what is known after a probe: what racers showed earlier stays true, and without a proof
// everything does.
func join(found store.Probed, proved bool, flaws, races store.Flaws, raced bool) (store.Flaws, store.Flaws) {
	switch {
	case !proved:
		return flaws, races
	case raced:
		return found.Flaws, found.Races
	}
	return found.Flaws | races, races &^ found.Flaws
}

// proved tells whether a probe that ended with err has shown anything. That it may not write is
// no error: these credentials may be for a part of the bucket.
func (v *Volume) proved(err error, first bool, where string, p Proving) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case !errors.Is(err, store.ErrAccessDenied):
		return false, v.at.explainBucket(err)
	case first:
		p.Say(true, fmt.Sprintf("%s is not proved: these credentials may not write below %s in %s; allow s3:PutObject there, or run %s with others", v.server(), store.ProbePrefix, where, v.at.initCommand("")))
	}
	return false, nil
}

// actions are the permissions that requests need besides those to write and read.
var actions = map[string]string{
	"AbortUpload": "s3:AbortMultipartUpload", "CompleteUpload": "s3:PutObject", "Copy": "s3:PutObject and s3:PutObjectTagging",
	"CopyPart": "s3:PutObject and s3:GetObjectVersion", "CreateUpload": "s3:PutObject", "UploadPart": "s3:PutObject", "Delete": "s3:DeleteObject",
	"DeleteVersion": "s3:DeleteObjectVersion", "Get": "s3:GetObject and s3:GetObjectVersion", "List": "s3:ListBucket", "ListVersions": "s3:ListBucketVersions",
}

// tellRest says what a probe could not find out or remove.
func (v *Volume) tellRest(found store.Probed, bucket string, p Proving) {
	var missing []string
	for _, op := range found.Denied {
		missing = append(missing, actions[op])
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		p.Say(false, fmt.Sprintf("%s is proved in part: these credentials lack %s below %s in bucket %s", v.server(),
			strings.Join(slices.Compact(missing), ", "), store.ProbePrefix, bucket))
	}
	if found.Left > 0 {
		why := "the server did not answer: latchfs gc removes them"
		if found.Kept {
			why = "Object Lock keeps them, or these credentials lack s3:DeleteObjectVersion: mounts go by what was found now"
		}
		p.Say(true, fmt.Sprintf("%d small objects or versions of the probe stay below %s in bucket %s, since %s", found.Left, store.ProbePrefix, bucket, why))
	}
}

// probeTable probes the bucket of a lock table; a table elsewhere has no flaws.
func (v *Volume) probeTable(ctx context.Context, n TableName, races bool) (store.Probed, error) {
	switch {
	case n.Backend != BackendS3:
		return store.Probed{}, nil
	case v.table != nil:
		return *v.table, nil
	}
	bucket, err := v.at.bucket(ctx, n.Table, store.Options{Log: v.log})
	if err != nil {
		return store.Probed{}, err
	}
	return bucket.Probe(ctx, store.ProbeOptions{Races: races, Only: tableFlaws})
}

// refuseTable refuses a server on which two hosts could hold one lock.
func (v *Volume) refuseTable(f store.Flaws) error {
	if !f.Has(store.PutConditions) {
		return nil
	}
	return fmt.Errorf("%s cannot keep a lock table: it does not keep a PUT from overwriting what others wrote meanwhile, so that two hosts could hold one lock; keep the locks in DynamoDB (latchfs init --lock dynamodb:TABLE), or use another server", v.server())
}
