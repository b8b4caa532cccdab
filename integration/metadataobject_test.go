package integration

import (
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/latchfs/latchfs/integration/harness"
)

type meta = map[string]string

// A metadataObject is an object, and a file of a mount.
type metadataObject struct {
	*harness.Bucket
	h   *harness.Host
	key string
}

// put makes it a foreign object with this metadata, each time a new one: while the mount has not
// quite closed a file it would take a foreign version of it for a conflict.
func (o *metadataObject) put(m meta) {
	o.Helper()
	o.key += "_"
	_, err := o.S3.PutObject(o.Timeout(time.Minute), &s3.PutObjectInput{
		Bucket: &o.Name, Key: &o.key, Body: strings.NewReader("base\n"), Metadata: m,
		ContentType: aws.String("text/x"), CacheControl: aws.String("no-store"), ContentEncoding: aws.String("gzip"),
	})
	o.Must(err)
}

// ours makes it a file that the mount wrote.
func (o *metadataObject) ours() {
	o.Helper()
	o.sh("echo ours > $f; chmod 640 $f; chown 5:6 $f; touch -d @7.5 $f")
}

// change changes metadata as tools do, by a copy onto itself that keeps the rest; "" takes away.
func (o *metadataObject) change(m meta) {
	o.Helper()
	now := o.head().Metadata
	maps.Copy(now, m)
	maps.DeleteFunc(now, func(_, value string) bool { return value == "" })
	_, err := o.S3.CopyObject(o.Timeout(time.Minute), &s3.CopyObjectInput{
		Bucket: &o.Name, Key: &o.key, CopySource: aws.String(o.Name + "/" + o.key),
		Metadata: now, MetadataDirective: types.MetadataDirectiveReplace,
	})
	o.Must(err)
}

// sh runs a script in the mount, where $f is the file.
func (o *metadataObject) sh(script string) {
	o.Helper()
	o.Sh(o.h.Mountpoint, "f="+o.key+"; "+script)
}

// shows checks mode, owner, group and mtime as the mount shows them, once it has closed the file.
func (o *metadataObject) shows(want string) {
	o.Helper()
	o.Eventually(5*time.Second, func() error {
		return equal(o.Sh(o.h.Mountpoint, "TZ=UTC stat -c '%a %u %g %y' "+o.key), want+" +0000\n")
	})
}

func (o *metadataObject) head() *s3.HeadObjectOutput {
	o.Helper()
	head, err := o.S3.Head(o.Timeout(time.Minute), o.key)
	o.Must(err)
	return head
}

// has checks that the metadata of the object contain these.
func (o *metadataObject) has(want meta) {
	o.Helper()
	got := o.head().Metadata
	for name, value := range want {
		if got[name] != value {
			o.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}

// lacks checks that they do not have these keys.
func (o *metadataObject) lacks(names ...string) {
	o.Helper()
	got := o.head().Metadata
	for _, name := range names {
		if value, there := got[name]; there {
			o.Errorf("%s is still there: %q", name, value)
		}
	}
}

// encoded checks the Content-Encoding.
func (o *metadataObject) encoded(want string) {
	o.Helper()
	if got := aws.ToString(o.head().ContentEncoding); got != want {
		o.Errorf("the content encoding is %q, want %q", got, want)
	}
}
