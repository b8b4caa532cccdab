package volume

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseSource(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]Source{
		"bucket":              {Bucket: "bucket"},
		"bucket:":             {Bucket: "bucket"},
		"bucket:a":            {Bucket: "bucket", Prefix: "a/"},
		"bucket:a/b/":         {Bucket: "bucket", Prefix: "a/b/"},
		"bucket:with space/ü": {Bucket: "bucket", Prefix: "with space/ü/"},
		"bucket:a:b":          {Bucket: "bucket", Prefix: "a:b/"},
		"s3://bucket":         {Bucket: "bucket"},
		"s3://bucket/":        {Bucket: "bucket"},
		"s3://bucket/a/b":     {Bucket: "bucket", Prefix: "a/b/"},
		"s3://local":          {Bucket: "local"},
		"s3://local/a/":       {Bucket: "local", Prefix: "a/"},
		"my.old_Bucket":       {Bucket: "my.old_Bucket"},
		"local:data":          {Local: filepath.Join(here, "data"), Bucket: "data"},
		"local:/srv/a b":      {Local: "/srv/a b", Bucket: "data"},
		"local:./x/../y":      {Local: filepath.Join(here, "y"), Bucket: "data"},
		"s3://bucket/.latch/": {Bucket: "bucket", Prefix: ".latch/"},
		"bucket:a/.latchfs/":  {Bucket: "bucket", Prefix: "a/.latchfs/"},
		"bucket:...":          {Bucket: "bucket", Prefix: ".../"},
		"s3://bucket/b:c":     {Bucket: "bucket", Prefix: "b:c/"},
		"bucket:s3/x":         {Bucket: "bucket", Prefix: "s3/x/"},
	} {
		got, err := ParseSource(in)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", in, got, err, want)
		}
		again, err := ParseSource(got.String())
		if err != nil || again != got {
			t.Errorf("%q is written as %q, which reads as %+v, %v", in, got.String(), again, err)
		}
	}
}

func TestParseSourceRefuses(t *testing.T) {
	for _, in := range []string{
		"", "s3://", "s3:///a", "ab", "-bucket", "bucket/", "bucket/a", "b*cket", "https://host/bucket",
		"local:", "bucket:/a", "bucket:a//b", "bucket:.", "bucket:a/../b", "s3://bucket//", "s3://bucket/./",
		"bucket:.latchfs", "s3://bucket/.latchfs/x", "bucket:" + strings.Repeat("a", 256), strings.Repeat("b", 64),
		"bucket:a\x00b",
	} {
		got, err := ParseSource(in)
		var usage *UsageError
		if !errors.As(err, &usage) {
			t.Errorf("%q: %+v, %v; want a usage error", in, got, err)
		} else if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), ":") {
			t.Errorf("%q: %v; want one line that says what to do", in, err)
		}
	}
	for in, says := range map[string]string{
		"gs://bucket":         "write s3://bucket[/prefix/], bucket[:prefix] or local:DIR",
		"arn:aws:s3:::bucket": "write the bucket's own name", "arn:aws:s3:eu-west-1:123456789012:accesspoint/x": "write the bucket's own name",
		"https://bucket.s3.amazonaws.com/": "name the server with --endpoint-url", "HTTP://host/bucket": "name the server with --endpoint-url",
		"S3://bucket": "write s3 in lower case", "LOCAL:/srv": "write local in lower case",
		"s3://b1": "3 to 63 letters", "b": "3 to 63 letters", "s3://bucket ": "leave out the space", " bucket": "leave out the space",
	} {
		if got, err := ParseSource(in); err == nil || !strings.HasPrefix(err.Error(), "SOURCE ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v; want %q", in, got, err, says)
		}
	}
}
