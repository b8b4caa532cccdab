package conformance

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// copies are the rows on CopyObject.
func (e *s3Server) copies() []row {
	return []row{
		{id: "k01", title: "CopyObject If-None-Match:* on destination: absent 200, present 412", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "k01s", []byte("src"))
			inm := func(i *s3.CopyObjectInput) { i.IfNoneMatch = p("*") }
			_, err := e.copy(ctx, e.plain, "k01s", "k01d", inm)
			if err != nil {
				return fmt.Errorf("absent: %s", code(err))
			}
			e.put(ctx, e.plain, "k01d", []byte("keep"))
			_, err = e.copy(ctx, e.plain, "k01s", "k01d", inm)
			return first(want("present", err, 412), e.is(ctx, e.plain, "k01d", []byte("keep")))
		}},
		{id: "k02", title: "CopyObject If-Match on destination: right 200, wrong 412", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "k02s", []byte("src"))
			r, err := e.put(ctx, e.plain, "k02d", []byte("dst"))
			if err != nil {
				return err
			}
			_, err = e.copy(ctx, e.plain, "k02s", "k02d", func(i *s3.CopyObjectInput) { i.IfMatch = p(`"00000000000000000000000000000000"`) })
			if err := first(want("wrong", err, 412), e.is(ctx, e.plain, "k02d", []byte("dst"))); err != nil {
				return err
			}
			_, err = e.copy(ctx, e.plain, "k02s", "k02d", func(i *s3.CopyObjectInput) { i.IfMatch = r.ETag })
			return first(want("right", err, 200), e.is(ctx, e.plain, "k02d", []byte("src")))
		}},
		{id: "k03", title: "CopyObject copy-source-if-match right 200, wrong 412", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "k03s", []byte("src"))
			if err != nil {
				return err
			}
			_, err = e.copy(ctx, e.plain, "k03s", "k03d", func(i *s3.CopyObjectInput) { i.CopySourceIfMatch = r.ETag })
			if err != nil {
				return fmt.Errorf("right: %s", code(err))
			}
			_, err = e.copy(ctx, e.plain, "k03s", "k03d2", func(i *s3.CopyObjectInput) { i.CopySourceIfMatch = p(`"00000000000000000000000000000000"`) })
			if status(err) != 412 {
				return fmt.Errorf("wrong: %s", code(err))
			}
			_, err = e.copy(ctx, e.plain, "k03s", "k03d2", func(i *s3.CopyObjectInput) { i.CopySourceIfNoneMatch = r.ETag })
			if status(err) == 304 {
				return infof("right; but copy-source-if-none-match equal gives 304, not 412")
			}
			return want("source-if-none-match equal", err, 412)
		}},
		{id: "k04", title: "CopyObject keeps ETag (md5) and metadata", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "k04s", []byte("src"), func(i *s3.PutObjectInput) {
				i.Metadata = map[string]string{"mode": "100644"}
				i.ContentType = p("text/x-a")
			})
			if err != nil {
				return err
			}
			c, err := e.copy(ctx, e.plain, "k04s", "k04d")
			if err != nil {
				return err
			}
			h, err := e.head(ctx, e.plain, "k04d")
			if err != nil {
				return err
			}
			if h.Metadata["mode"] != "100644" || aws.ToString(h.ContentType) != "text/x-a" {
				return fmt.Errorf("metadata %v type %s", h.Metadata, aws.ToString(h.ContentType))
			}
			if c.CopyObjectResult == nil || aws.ToString(c.CopyObjectResult.ETag) != *r.ETag || aws.ToString(h.ETag) != *r.ETag {
				return fmt.Errorf("etag src %s copy %v head %s", *r.ETag, c.CopyObjectResult, aws.ToString(h.ETag))
			}
			return nil
		}},
		{id: "k05", title: "CopyObject source key with odd characters (URL-encoded)", check: func(ctx context.Context) error {
			k := "k05 a+b%41é&c"
			if _, err := e.put(ctx, e.plain, k, []byte("src")); err != nil {
				return err
			}
			_, err := e.c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &e.plain, Key: p("k05d"), CopySource: p(e.plain + "/" + strings.ReplaceAll(url.PathEscape(k), "+", "%2B"))})
			if err != nil {
				return fmt.Errorf("%s", code(err))
			}
			if err := e.is(ctx, e.plain, "k05d", []byte("src")); err != nil {
				return err
			}
			_, err = e.c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &e.plain, Key: p("k05d2"), CopySource: p(e.plain + "/" + url.PathEscape(k))})
			if err != nil {
				return infof("fine with %%2B; a bare '+' in CopySource is read as a space: %s", code(err))
			}
			return nil
		}},
		{id: "k06", title: "RenameObject (directory buckets only on AWS)", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "k06", []byte("r"))
			_, err := e.c.RenameObject(ctx, &s3.RenameObjectInput{Bucket: &e.plain, Key: p("k06n"), RenameSource: p(e.plain + "/k06")})
			return infof("%s", code(err))
		}},
	}
}

// copy copies within a bucket.
func (e *s3Server) copy(ctx context.Context, b, src, dst string, o ...func(*s3.CopyObjectInput)) (*s3.CopyObjectOutput, error) {
	in := &s3.CopyObjectInput{Bucket: &b, Key: &dst, CopySource: p(b + "/" + src)}
	for _, f := range o {
		f(in)
	}
	return e.c.CopyObject(ctx, in)
}
