package volume

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/latchfs/latchfs/internal/localserver"
	"github.com/latchfs/latchfs/store"
)

// A Target is what a command works on: a file or directory of a bucket, perhaps one of its versions.
// It need not exist: what was deleted is named in the same way.
//
// Nothing of a mount but the words of its command line is used. The credentials are those that the
// caller has, so that nobody is allowed more by a mount than without it.
type Target struct {
	Text   string // in the user's own words
	Source Source // of the mount, or the bucket
	Access Access
	// Mountpoint is where the path enters the mount, and StateDir that mount's directory for data on
	// their way; both are "" for a target that was named by its bucket.
	Mountpoint, StateDir string
	// Key is the object's whole key, whatever prefix is mounted; "" is the root of the bucket. It ends
	// in a slash if the user wrote one there, or it can be nothing else than a directory.
	Key string
	// Rev names a version of it; "" if the user named none.
	Rev string
	// View: the path leads through .versions, where nothing can be made.
	View bool
	// Zone is the one that Rev is in if it is a time without zone: UTC in a path, that of the host in
	// PATH@REV.
	Zone *time.Location

	base    string   // the key of what is seen at Mountpoint
	written *reading // the name that has the "@" in it, if it may be meant; Choose decides
}

// A reading is what one way to read a text names.
type reading struct {
	key, rev string
	zone     *time.Location
}

// FindTarget reads s3://bucket/key, local:DIR/key or a path below a mount of this host, each of them
// with @REV at its end or not. What access says goes before what the mount says. rev is what the user
// named besides; with it an "@" in the text is a part of the name. Nothing is asked of the bucket.
func FindTarget(text, rev string, access Access) (Target, error) {
	read := func(text string) (Target, error) { return readTarget(text, access) }
	t, err := read(text)
	if rev != "" {
		if err == nil && t.Rev != "" {
			return t, Usagef("%q names a version already: leave it out there, or give no other one", text)
		}
		t.Rev, t.Zone = rev, time.Local
		return t, err
	}
	path, rev, ok := cutRev(text)
	if !ok {
		return t, err
	}
	at, aterr := read(path)
	switch {
	case aterr != nil, at.Rev != "", err == nil && t.Rev != "":
		return t, err // the text as it is written says all
	case err == nil && !t.sameVolume(at):
		return t, nil // the mount point has the "@" in its name
	case err == nil:
		at.written = &reading{t.Key, t.Rev, t.Zone}
	}
	at.Text, at.Rev, at.Zone = text, rev, time.Local
	return at, nil
}

// cutRev cuts @REV off. A path that is nothing else is a name.
func cutRev(text string) (path, rev string, ok bool) {
	i := strings.LastIndexByte(text, '@')
	if i <= 0 || i == len(text)-1 || strings.Contains(text[i:], "/") {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

func readTarget(text string, access Access) (t Target, err error) {
	switch {
	case strings.HasPrefix(text, "s3://"):
		t, err = bucketTarget(text)
	case strings.HasPrefix(text, LocalPrefix):
		t, err = localTarget(text)
	default:
		t, err = thisHost().target(text)
	}
	if err != nil {
		return t, err
	}
	if t.Text = text; t.Zone == nil {
		t.Zone = time.Local
	}
	if t.Source.Local != "" && access != (Access{}) {
		return t, Usagef("%q is in a folder with a server of its own: leave out the flags of region, endpoints and profile", text)
	}
	t.Access = access.over(t.Access)
	return t, checkKey(text, t.Key)
}

// bucketTarget reads s3://bucket/key.
func bucketTarget(text string) (Target, error) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(text, "s3://"), "/")
	if !bucketName.MatchString(bucket) {
		return Target{}, Usagef("%q names no bucket: write s3://bucket/key", text)
	}
	return Target{Source: Source{Bucket: bucket}, Key: key}, nil
}

// localTarget reads local:DIR/key, DIR being the folder above which no other one is served.
func localTarget(text string) (Target, error) {
	path := strings.TrimPrefix(text, LocalPrefix)
	for i := range len(path) + 1 {
		if i < len(path) && path[i] != '/' || i == 0 {
			continue
		}
		src, err := localSource(path[:i])
		if err != nil {
			return Target{}, err
		}
		if localserver.Served(src.Local) {
			return Target{Source: src, Key: strings.TrimPrefix(path[i:], "/")}, nil
		}
	}
	return Target{}, Usagef("%q is in no folder that latchfs keeps a bucket in: write local:DIR/key, DIR being what was mounted", text)
}

// checkKey refuses what can be no name of a file.
func checkKey(text, key string) error {
	switch {
	case key == ".latchfs", strings.HasPrefix(key, ".latchfs/"):
		return Usagef("%q is in .latchfs/ of the bucket, which is the program's own: name a file of yours", text)
	case len(key) > store.MaxKey:
		return Usagef("%.100q... has a key of %d bytes: S3 takes %d", text, len(key), store.MaxKey)
	case !utf8.ValidString(key), strings.ContainsRune(key, 0):
		return Usagef("%q can be the name of no object: keys are UTF-8 without NUL", text)
	}
	return nil
}

// over gives what a says, and where that says nothing, what b says.
func (a Access) over(b Access) Access {
	for _, f := range []struct{ to, from *string }{
		{&a.Region, &b.Region}, {&a.Profile, &b.Profile},
		{&a.Endpoint, &b.Endpoint}, {&a.DynamoDBEndpoint, &b.DynamoDBEndpoint},
	} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	a.PathStyle = a.PathStyle || b.PathStyle
	return a
}

// sameVolume tells whether both are in the same bucket, reached in the same way.
func (t Target) sameVolume(o Target) bool {
	return t.Source == o.Source && t.Access == o.Access
}

// Reaches tells whether the volume is that of the target, reached in the same way.
func (v *Volume) Reaches(t Target) bool {
	return v.Source.Local == t.Source.Local && v.Source.Bucket == t.Source.Bucket && (v.Source.Local != "" || v.at.asked == t.Access)
}

// Options are those to Open the target's volume with.
func (t Target) Options() Options {
	return Options{Source: t.Source, Access: t.Access, Existing: true}
}

// DirKey is the target's key if it is a directory.
func (t Target) DirKey() string {
	if t.Key == "" || strings.HasSuffix(t.Key, "/") {
		return t.Key
	}
	return t.Key + "/"
}

// WithKey names another key of the same volume in the words that the user named the target with, for
// messages and commands: a path below the mount if he wrote one.
func (t Target) WithKey(key string) string {
	switch rel, below := strings.CutPrefix(key, t.base); {
	case t.Mountpoint != "" && below:
		return strings.TrimSuffix(t.Mountpoint, "/") + "/" + rel
	case t.Source.Local != "":
		return LocalPrefix + t.Source.Local + "/" + key
	}
	return "s3://" + t.Source.Bucket + "/" + key
}
