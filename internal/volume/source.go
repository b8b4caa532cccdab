package volume

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/latchfs/latchfs/internal/localserver"
)

// A Source is what is mounted: a bucket, or the part of it below a prefix.
type Source struct {
	// Local is the absolute path of the folder of an embedded server, else empty.
	Local string
	// Bucket is the bucket's name; for a local source the one the embedded server keeps.
	Bucket string
	// Prefix is empty or ends in a slash.
	Prefix string
}

// LocalPrefix begins a source that names a folder.
const LocalPrefix = "local:"

// maxBucketName is the most bytes that the name of a bucket has.
const maxBucketName = 63

// S3 names: 3 to 63 lower-case letters, digits, dots and hyphens. Upper case and
// underscores occur in buckets older than the rule and on other servers.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$`)

// ParseSource reads s3://bucket[/prefix/], bucket[:prefix] or local:DIR. What names none of
// these is a UsageError.
func ParseSource(s string) (Source, error) {
	if dir, ok := strings.CutPrefix(s, LocalPrefix); ok {
		return localSource(dir)
	}
	var bucket, prefix string
	if rest, ok := strings.CutPrefix(s, "s3://"); ok {
		bucket, prefix, _ = strings.Cut(rest, "/")
	} else if bucket, prefix, _ = strings.Cut(s, ":"); strings.HasPrefix(prefix, "//") || bucket == "arn" || strings.EqualFold(bucket+":", LocalPrefix) {
		bucket = "" // it is the scheme of another kind of URL, or misspelt
	}
	if !bucketName.MatchString(bucket) {
		return Source{}, Usagef("SOURCE %q names no bucket: %s", s, rightSource(s, bucket))
	}
	prefix, err := cleanPrefix(s, prefix)
	if err != nil {
		return Source{}, err
	}
	return Source{Bucket: bucket, Prefix: prefix}, nil
}

// rightSource says what to write instead of a source that names no bucket, or only this one.
func rightSource(s, bucket string) string {
	scheme, _, _ := strings.Cut(strings.ToLower(s), ":")
	switch {
	case strings.TrimSpace(s) != s && strings.TrimSpace(s) != "":
		return "leave out the space around it"
	case scheme == "arn":
		return "write the bucket's own name, as s3://bucket"
	case scheme == "http", scheme == "https":
		return "write s3://bucket, and name the server with --endpoint-url"
	case s != strings.ToLower(s) && (scheme == "s3" || scheme+":" == LocalPrefix):
		return "write " + scheme + " in lower case"
	case bucket != "" && (len(bucket) < 3 || len(bucket) > maxBucketName):
		return "the name of a bucket has 3 to 63 letters, digits, dots and hyphens"
	}
	return "write s3://bucket[/prefix/], bucket[:prefix] or local:DIR"
}

func localSource(dir string) (Source, error) {
	if dir == "" {
		return Source{}, Usagef("SOURCE local: names no folder: write local:DIR (a bucket of that name is s3://local)")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Source{}, err
	}
	return Source{Local: abs, Bucket: localserver.DataBucket}, nil
}

// cleanPrefix adds the closing slash and refuses what no path in the mount could name.
func cleanPrefix(s, prefix string) (string, error) {
	if prefix == "" {
		return "", nil
	}
	if !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		switch {
		case name == "", name == ".", name == "..", strings.ContainsRune(name, 0):
			return "", Usagef("SOURCE %q has a prefix with an empty, \".\" or \"..\" part: such keys cannot be mounted", s)
		case len(name) > 255:
			return "", Usagef("SOURCE %q has a prefix with a part longer than 255 bytes: such keys cannot be mounted", s)
		}
	}
	if prefix == ".latchfs/" || strings.HasPrefix(prefix, ".latchfs/") {
		return "", Usagef("SOURCE %q lies in .latchfs/, which is reserved: mount the bucket or another prefix", s)
	}
	return prefix, nil
}

// String gives the form that ParseSource reads; it is the mount's name in mount.json
// and in /proc/mounts.
func (s Source) String() string {
	if s.Local != "" {
		return LocalPrefix + s.Local
	}
	return "s3://" + s.Bucket + "/" + s.Prefix
}
