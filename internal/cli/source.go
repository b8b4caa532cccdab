package cli

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/latchfs/latchfs/internal/localserver"
)

// A source is what is mounted: a bucket, or the part of it below a prefix.
type source struct {
	// Local is the absolute path of the folder of an embedded server, else empty.
	Local string
	// Bucket is the bucket's name; for a local source the one the embedded server keeps.
	Bucket string
	// Prefix is empty or ends in a slash.
	Prefix string
}

const localPrefix = "local:"

// S3 names: 3 to 63 lower-case letters, digits, dots and hyphens. Upper case and
// underscores occur in buckets older than the rule and on other servers.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$`)

// parseSource reads s3://bucket[/prefix/], bucket[:prefix] or local:DIR.
func parseSource(s string) (source, error) {
	if dir, ok := strings.CutPrefix(s, localPrefix); ok {
		return localSource(dir)
	}
	var bucket, prefix string
	if rest, ok := strings.CutPrefix(s, "s3://"); ok {
		bucket, prefix, _ = strings.Cut(rest, "/")
	} else {
		bucket, prefix, _ = strings.Cut(s, ":")
	}
	if !bucketName.MatchString(bucket) {
		return source{}, usagef("SOURCE %q names no bucket: write s3://bucket[/prefix/], bucket[:prefix] or local:DIR", s)
	}
	prefix, err := cleanPrefix(s, prefix)
	if err != nil {
		return source{}, err
	}
	return source{Bucket: bucket, Prefix: prefix}, nil
}

func localSource(dir string) (source, error) {
	if dir == "" {
		return source{}, usagef("SOURCE local: names no folder: write local:DIR (a bucket of that name is s3://local)")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return source{}, err
	}
	return source{Local: abs, Bucket: localserver.DataBucket}, nil
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
			return "", usagef("SOURCE %q has a prefix with an empty, \".\" or \"..\" part: such keys cannot be mounted", s)
		case len(name) > 255:
			return "", usagef("SOURCE %q has a prefix with a part longer than 255 bytes: such keys cannot be mounted", s)
		}
	}
	if prefix == ".latchfs/" || strings.HasPrefix(prefix, ".latchfs/") {
		return "", usagef("SOURCE %q lies in .latchfs/, which is reserved: mount the bucket or another prefix", s)
	}
	return prefix, nil
}

// String gives the form that parseSource reads; it is the mount's name in mount.json
// and in /proc/mounts.
func (s source) String() string {
	if s.Local != "" {
		return localPrefix + s.Local
	}
	return s.bucketURL() + s.Prefix
}

func (s source) bucketURL() string { return "s3://" + s.Bucket + "/" }
