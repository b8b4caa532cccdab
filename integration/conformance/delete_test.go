package conformance

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// deletes are the rows on DeleteObject and DeleteObjects.
func (e *s3Server) deletes() []row {
	return []row{
		{id: "d01", title: "DeleteObject If-Match wrong 412 (kept), right 204", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "d01", []byte("a"))
			if err != nil {
				return err
			}
			_, err = e.deleteIf(ctx, e.plain, "d01", `"00000000000000000000000000000000"`)
			if err := first(want("wrong", err, 412), e.is(ctx, e.plain, "d01", []byte("a"))); err != nil {
				return err
			}
			if _, err = e.deleteIf(ctx, e.plain, "d01", *r.ETag); err != nil {
				return fmt.Errorf("right: %s", code(err))
			}
			_, err = e.head(ctx, e.plain, "d01")
			return want("head after", err, 404)
		}},
		{id: "d02", title: "DeleteObject If-Match on versioned: wrong 412, right -> marker", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.ver, "d02", []byte("a"))
			if err != nil {
				return err
			}
			_, err = e.deleteIf(ctx, e.ver, "d02", `"00000000000000000000000000000000"`)
			if err := first(want("wrong", err, 412), e.is(ctx, e.ver, "d02", []byte("a"))); err != nil {
				return err
			}
			o, err := e.deleteIf(ctx, e.ver, "d02", *r.ETag)
			if err != nil {
				return fmt.Errorf("right: %s", code(err))
			}
			if !aws.ToBool(o.DeleteMarker) || aws.ToString(o.VersionId) == "" {
				return fmt.Errorf("no delete-marker header or version id in the reply")
			}
			return nil
		}},
		{id: "d03", title: "DeleteObject If-Match on absent key; If-Match:*", check: func(ctx context.Context) error {
			_, e1 := e.deleteIf(ctx, e.plain, "d03", `"00000000000000000000000000000000"`)
			_, e2 := e.deleteIf(ctx, e.plain, "d03", `*`)
			e.put(ctx, e.plain, "d03", []byte("a"))
			_, e3 := e.deleteIf(ctx, e.plain, "d03", `*`)
			return infof("absent+etag: %s, absent+*: %s, present+*: %s", code(e1), code(e2), code(e3))
		}},
		{id: "d04", title: "DeleteObjects (batch): plain, and with ETag right/wrong", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "d04/a", []byte("a"))
			e.put(ctx, e.plain, "d04/b", []byte("b"))
			if _, err := e.c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &e.plain, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: p("d04/a")}, {Key: p("d04/b")}}}}); err != nil {
				return fmt.Errorf("plain: %s", code(err))
			}
			if l, _, _, _ := e.listAll(ctx, e.plain, "d04/"); len(l) != 0 {
				return fmt.Errorf("plain batch left %d", len(l))
			}
			ra, _ := e.put(ctx, e.plain, "d04/a", []byte("a"))
			e.put(ctx, e.plain, "d04/b", []byte("b"))
			o, err := e.c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &e.plain, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: p("d04/a"), ETag: ra.ETag}, {Key: p("d04/b"), ETag: p(`"00000000000000000000000000000000"`)}}}})
			if err != nil {
				return fmt.Errorf("conditional: %s", code(err))
			}
			l, _, _, _ := e.listAll(ctx, e.plain, "d04/")
			if len(l) != 1 || *l[0].Key != "d04/b" || len(o.Errors) != 1 {
				return infof("per-key ETag in the batch not honoured: %d left, %d errors", len(l), len(o.Errors))
			}
			return nil
		}},
		{id: "d05", title: "delete of an absent key -> 204", check: func(ctx context.Context) error {
			_, err := e.del(ctx, e.plain, "d05-none")
			if err != nil {
				return fmt.Errorf("%s", code(err))
			}
			return nil
		}},
	}
}

func (e *s3Server) deleteIf(ctx context.Context, b, k, t string) (*s3.DeleteObjectOutput, error) {
	return e.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b, Key: &k, IfMatch: &t})
}
