package integration

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/integration/harness"
)

// What a foreign writer gave an object besides its bytes survives a rewrite, an append,
// a chmod and a rename.
// SEMANTICS G9
func TestG9ForeignPropertiesAreKept(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	ctx := e.Timeout(time.Minute)
	_, err := b.S3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.Name, Key: aws.String("f"), Body: strings.NewReader("old\n"),
		ContentType: aws.String("text/x-fancy"), CacheControl: aws.String("max-age=60"),
		ContentDisposition: aws.String("attachment"), ContentLanguage: aws.String("de"), ContentEncoding: aws.String("identity"),
		Metadata: map[string]string{"colour": "blue", "owner": "somebody"}, Tagging: aws.String("project=latch&tier=gold+one"),
	})
	e.Must(err)
	h := b.Mount("one")
	key, encoding := "f", "identity"
	for _, script := range []string{"echo more >> f", "chmod 600 f", "touch -d 2001-02-03 f", "truncate -s 2 f", "echo new > f", "mv f g"} {
		e.Sh(h.Mountpoint, script)
		switch script {
		case "echo new > f":
			encoding = "" // that of the old bytes, of which none is left
		case "mv f g":
			key = "g"
		}
		head, err := b.S3.Head(ctx, key)
		e.Must(err)
		for _, p := range [][3]string{
			{"content type", aws.ToString(head.ContentType), "text/x-fancy"},
			{"cache control", aws.ToString(head.CacheControl), "max-age=60"},
			{"disposition", aws.ToString(head.ContentDisposition), "attachment"},
			{"language", aws.ToString(head.ContentLanguage), "de"},
			{"encoding", aws.ToString(head.ContentEncoding), encoding},
			{"metadata", head.Metadata["colour"] + head.Metadata["owner"], "bluesomebody"},
		} {
			if p[1] != p[2] {
				t.Errorf("%s: %s is %q, want %q", script, p[0], p[1], p[2])
			}
		}
		tags, err := b.S3.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &b.Name, Key: &key})
		e.Must(err)
		got := map[string]string{}
		for _, tag := range tags.TagSet {
			got[*tag.Key] = *tag.Value
		}
		if want := map[string]string{"project": "latch", "tier": "gold one"}; !maps.Equal(got, want) {
			t.Errorf("%s: tags are %v, want %v", script, got, want)
		}
	}
}

// Storage class and encryption are asked for again with every write. The test server
// drops both, so the proxy answers with them and the requests are looked at.
// SEMANTICS G9
func TestG9StorageClassAndEncryption(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	want := map[string]string{
		"X-Amz-Storage-Class":                         "STANDARD_IA",
		"X-Amz-Server-Side-Encryption":                "aws:kms",
		"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "arn:aws:kms:us-east-1:111122223333:key/1234",
	}
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", strings.Repeat("old\n", 3<<20)))
	p := b.Proxy()
	p.Alter(func(r *http.Response) {
		if r.Request.Method == http.MethodHead && strings.HasSuffix(r.Request.URL.Path, "/f") {
			for k, v := range want {
				r.Header.Set(k, v)
			}
		}
	})
	h := b.Through(p.URL).Mount("one")
	for _, script := range []string{
		"echo more >> f",              // several parts
		"chmod 600 f",                 // a copy onto itself
		"truncate -s 0 f; echo x > f", // one PUT
	} {
		from := time.Now()
		e.Sh(h.Mountpoint, script)
		writes := p.Seen(func(r harness.Request) bool {
			query, _ := url.ParseQuery(r.Query)
			starts := r.Method == http.MethodPost && query.Has("uploads")
			whole := r.Method == http.MethodPut && !query.Has("partNumber")
			return r.At.After(from) && strings.HasSuffix(r.Path, "/f") && (starts || whole)
		})
		if len(writes) == 0 {
			t.Errorf("%s: no write was seen", script)
		}
		for _, w := range writes {
			for k, v := range want {
				if got := w.Header.Get(k); got != v {
					t.Errorf("%s: %s ?%s asks for %s %q, want %q", script, w.Method, w.Query, k, got, v)
				}
			}
		}
	}
}
