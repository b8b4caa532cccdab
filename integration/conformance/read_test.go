package conformance

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// reads are the rows on GetObject and HeadObject.
func (e *s3Server) reads() []row {
	return []row{
		{id: "g01", title: "GET If-Match right 200, wrong 412; If-None-Match equal 304", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "g01", []byte("abc"))
			if err != nil {
				return err
			}
			_, _, e1 := e.get(ctx, e.plain, "g01", func(i *s3.GetObjectInput) { i.IfMatch = r.ETag })
			_, _, e2 := e.get(ctx, e.plain, "g01", func(i *s3.GetObjectInput) { i.IfMatch = p(`"00000000000000000000000000000000"`) })
			_, _, e3 := e.get(ctx, e.plain, "g01", func(i *s3.GetObjectInput) { i.IfNoneMatch = r.ETag })
			_, e4 := e.c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &e.plain, Key: p("g01"), IfMatch: p(`"00000000000000000000000000000000"`)})
			return first(want("right", e1, 200), want("wrong", e2, 412), want("if-none-match", e3, 304), want("head wrong", e4, 412))
		}},
		{id: "g02", title: "Range a-b, a-, -n, past end; 416; Content-Range", check: func(ctx context.Context) error {
			d := data(31, 1000)
			if _, err := e.put(ctx, e.plain, "g02", d); err != nil {
				return err
			}
			for _, t := range []struct {
				r    string
				a, b int
			}{{"bytes=10-19", 10, 20}, {"bytes=990-", 990, 1000}, {"bytes=-7", 993, 1000}, {"bytes=995-5000", 995, 1000}, {"bytes=0-0", 0, 1}} {
				g, o, err := e.get(ctx, e.plain, "g02", func(i *s3.GetObjectInput) { i.Range = &t.r })
				if err != nil {
					return fmt.Errorf("%s: %s", t.r, code(err))
				}
				if !bytes.Equal(g, d[t.a:t.b]) || aws.ToString(o.ContentRange) != fmt.Sprintf("bytes %d-%d/1000", t.a, t.b-1) {
					return fmt.Errorf("%s: %d bytes, Content-Range %s", t.r, len(g), aws.ToString(o.ContentRange))
				}
			}
			_, _, err := e.get(ctx, e.plain, "g02", func(i *s3.GetObjectInput) { i.Range = p("bytes=1000-") })
			return want("past end", err, 416)
		}},
		{id: "g03", title: "Range + If-Match: right 206, stale 412", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "g03", data(1, 100))
			if err != nil {
				return err
			}
			_, _, e1 := e.get(ctx, e.plain, "g03", func(i *s3.GetObjectInput) { i.IfMatch = r.ETag; i.Range = p("bytes=1-9") })
			e.put(ctx, e.plain, "g03", data(2, 100))
			_, _, e2 := e.get(ctx, e.plain, "g03", func(i *s3.GetObjectInput) { i.IfMatch = r.ETag; i.Range = p("bytes=1-9") })
			return first(want("right", e1, 200), want("stale", e2, 412))
		}},
		{id: "g04", title: "HEAD missing 404, GET missing 404 NoSuchKey", check: func(ctx context.Context) error {
			_, e1 := e.head(ctx, e.plain, "g04-none")
			_, _, e2 := e.get(ctx, e.plain, "g04-none")
			if status(e1) != 404 || code(e2) != "404/NoSuchKey" {
				return fmt.Errorf("head %s get %s", code(e1), code(e2))
			}
			return nil
		}},
		{id: "g05", title: "GetObjectAttributes (size, parts, checksum)", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "g05", data(1, 100))
			r, err := e.c.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: &e.plain, Key: p("g05"), ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesEtag, types.ObjectAttributesObjectSize, types.ObjectAttributesChecksum}})
			if err != nil {
				return infof("%s", code(err))
			}
			if aws.ToInt64(r.ObjectSize) != 100 {
				return fmt.Errorf("size %v", r.ObjectSize)
			}
			return nil
		}},
	}
}
