package volume

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/store"
)

// What is said of a proof.

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

// proved tells whether a probe has shown anything. That it may not write is no error: these
// credentials may be for a part of the bucket.
func (v *Volume) proved(s subject, l lesson, p Proving) (bool, error) {
	switch {
	case l.probed && errors.Is(l.err, store.ErrAccessDenied):
		if l.races {
			p.Say(true, fmt.Sprintf("%s is not proved: these credentials may not write below %s in %s; allow s3:PutObject there, or run %s with others", v.server(), store.ProbePrefix, s.where, v.at.initCommand("")))
		}
		return false, nil
	case l.probed && l.err != nil:
		return false, s.explain(l.err)
	case l.err != nil:
		return false, l.err
	case l.rule && !l.recalled:
		p.Say(true, fmt.Sprintf("%s is not proved: Object Lock would keep what that writes to %s; to have it proved all the same run %s",
			v.server(), s.where, v.at.initCommand("")))
	}
	return l.probed, nil
}

// actions are the permissions that requests need besides those to write and read.
var actions = map[string]string{
	"AbortUpload": "s3:AbortMultipartUpload", "CompleteUpload": "s3:PutObject", "Copy": "s3:PutObject and s3:PutObjectTagging",
	"CopyPart": "s3:PutObject and s3:GetObjectVersion", "CreateUpload": "s3:PutObject", "UploadPart": "s3:PutObject", "Delete": "s3:DeleteObject",
	"DeleteVersion": "s3:DeleteObjectVersion", "Get": "s3:GetObject and s3:GetObjectVersion", "List": "s3:ListBucket", "ListVersions": "s3:ListBucketVersions",
}

// removals are the requests that remove what a probe has made.
var removals = []string{"AbortUpload", "Delete", "DeleteVersion", "ListVersions"}

// permissionsFor names the actions that requests need.
func permissionsFor(requests []string) string {
	var names []string
	for _, op := range requests {
		names = append(names, actions[op])
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// tellRest says what a probe could not find out or remove.
func (v *Volume) tellRest(s subject, found store.Probed, p Proving) {
	if len(found.Denied) > 0 {
		p.Say(false, fmt.Sprintf("%s is proved in part: these credentials lack %s below %s in bucket %s", v.server(),
			permissionsFor(found.Denied), store.ProbePrefix, s.name))
	}
	if found.Left == 0 {
		return
	}
	lacking := slices.DeleteFunc(slices.Clone(removals), func(op string) bool { return !slices.Contains(found.Denied, op) })
	why := "the server did not answer: latchfs gc removes them"
	switch {
	case found.Kept:
		why = "Object Lock keeps them: mounts go by what was found now"
	case len(lacking) > 0:
		why = fmt.Sprintf("these credentials lack %s: latchfs gc removes them with others", permissionsFor(lacking))
	}
	p.Say(true, fmt.Sprintf("%d small objects, versions or uploads of the probe stay below %s in bucket %s, since %s", found.Left, store.ProbePrefix, s.name, why))
}

// refuseTable refuses a server on which two hosts could hold one lock.
func (v *Volume) refuseTable(f store.Flaws) error {
	if !f.Has(store.PutConditions) {
		return nil
	}
	return fmt.Errorf("%s cannot keep a lock table: it does not keep a PUT from overwriting what others wrote meanwhile, so that two hosts could hold one lock; keep the locks in DynamoDB with %s, or use another server",
		v.server(), v.DynamoCommand())
}

// DynamoCommand is the exact command that makes the bucket keep its locks in DynamoDB.
func (v *Volume) DynamoCommand() string {
	n := TableName{BackendDynamo, "latchfs"}
	if v.Bond == nil {
		return v.at.initCommand(n.String())
	}
	return v.at.initCommand(n.String(), rebindFlag)
}
