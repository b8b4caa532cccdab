package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// metadata are the rows on metadata, headers and tags.
func (e *s3Server) metadata() []row {
	return []row{
		{id: "t01", title: "user metadata round trip; HEAD and GET; 2,000 bytes", check: func(ctx context.Context) error {
			m := map[string]string{"uid": "1000", "mtime": "1700000000.123456789", "long": strings.Repeat("v", 1950)}
			if _, err := e.put(ctx, e.plain, "t01", []byte("x"), func(i *s3.PutObjectInput) { i.Metadata = m }); err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			h, err := e.head(ctx, e.plain, "t01")
			if err != nil {
				return err
			}
			_, g, err := e.get(ctx, e.plain, "t01")
			if err != nil {
				return err
			}
			for k, v := range m {
				if h.Metadata[k] != v || g.Metadata[k] != v {
					return fmt.Errorf("%s: head %q get %q", k, h.Metadata[k], g.Metadata[k])
				}
			}
			return nil
		}},
		{id: "t02", title: "metadata over 2 KB refused (AWS: MetadataTooLarge); raw UTF-8 value", check: func(ctx context.Context) error {
			_, e1 := e.put(ctx, e.plain, "t02", []byte("x"), func(i *s3.PutObjectInput) { i.Metadata = map[string]string{"l": strings.Repeat("v", 2100)} })
			_, e2 := e.put(ctx, e.plain, "t02u", []byte("x"), func(i *s3.PutObjectInput) { i.Metadata = map[string]string{"u": "héllo-日本"} })
			s := fmt.Sprintf("2,100 B: %s; utf-8 put: %s", code(e1), code(e2))
			if e2 == nil {
				h, err := e.head(ctx, e.plain, "t02u")
				if err != nil {
					return err
				}
				s += fmt.Sprintf("; read back %q", h.Metadata["u"])
			}
			return infof("%s", s)
		}},
		{id: "t03", title: "metadata REPLACE copy to self: data kept, metadata new, type", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.plain, "t03", []byte("body"), func(i *s3.PutObjectInput) { i.Metadata = map[string]string{"a": "1", "b": "2"} }); err != nil {
				return err
			}
			if _, err := e.copy(ctx, e.plain, "t03", "t03", func(i *s3.CopyObjectInput) {
				i.MetadataDirective = types.MetadataDirectiveReplace
				i.Metadata = map[string]string{"a": "9"}
				i.ContentType = p("x/y")
			}); err != nil {
				return fmt.Errorf("copy: %s", code(err))
			}
			h, err := e.head(ctx, e.plain, "t03")
			if err != nil {
				return err
			}
			if h.Metadata["a"] != "9" || h.Metadata["b"] != "" || aws.ToString(h.ContentType) != "x/y" {
				return fmt.Errorf("metadata %v type %s", h.Metadata, aws.ToString(h.ContentType))
			}
			return e.is(ctx, e.plain, "t03", []byte("body"))
		}},
		{id: "t04", title: "REPLACE copy to self with If-Match (wrong 412/right 200), versioned", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.ver, "t04", []byte("body"))
			if err != nil {
				return err
			}
			f := func(et string) error {
				_, err := e.copy(ctx, e.ver, "t04", "t04", func(i *s3.CopyObjectInput) {
					i.MetadataDirective = types.MetadataDirectiveReplace
					i.Metadata = map[string]string{"a": "9"}
					i.IfMatch = &et
					i.CopySourceIfMatch = r.ETag
				})
				return err
			}
			if err := first(want("wrong", f(`"00000000000000000000000000000000"`), 412), want("right", f(*r.ETag), 200)); err != nil {
				return err
			}
			v, _, _, err := e.listVersions(ctx, e.ver, "t04")
			if err != nil || len(v) != 2 {
				return fmt.Errorf("%d versions, want 2 %s", len(v), code(err))
			}
			return e.is(ctx, e.ver, "t04", []byte("body"))
		}},
		{id: "t05", title: "system headers: type, cache-control, encoding, disposition, language, expires", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.plain, "t05", []byte("x"), func(i *s3.PutObjectInput) {
				i.ContentType, i.CacheControl, i.ContentEncoding, i.ContentDisposition, i.ContentLanguage = p("text/q"), p("max-age=9"), p("gzip"), p("attachment"), p("de")
			}); err != nil {
				return err
			}
			h, err := e.head(ctx, e.plain, "t05")
			if err != nil {
				return err
			}
			got := strings.Join([]string{aws.ToString(h.ContentType), aws.ToString(h.CacheControl), aws.ToString(h.ContentEncoding), aws.ToString(h.ContentDisposition), aws.ToString(h.ContentLanguage)}, "|")
			if got != "text/q|max-age=9|gzip|attachment|de" {
				return fmt.Errorf("got %s", got)
			}
			return nil
		}},
		{id: "t06", title: "object tags: on PUT, Get, Put, Delete", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.plain, "t06", []byte("x"), func(i *s3.PutObjectInput) { i.Tagging = p("a=1&b=2") }); err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			g, err := e.c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &e.plain, Key: p("t06")})
			if err != nil || len(g.TagSet) != 2 {
				return fmt.Errorf("get: %s", code(err))
			}
			if _, err := e.c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &e.plain, Key: p("t06"), Tagging: &types.Tagging{TagSet: []types.Tag{{Key: p("c"), Value: p("3")}}}}); err != nil {
				return fmt.Errorf("put tagging: %s", code(err))
			}
			g, err = e.c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &e.plain, Key: p("t06")})
			if err != nil || len(g.TagSet) != 1 || *g.TagSet[0].Key != "c" {
				return fmt.Errorf("get 2: %s", code(err))
			}
			_, err = e.c.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: &e.plain, Key: p("t06")})
			return want("delete tagging", err, 200, 204)
		}},
	}
}
