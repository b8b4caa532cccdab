package conformance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// presigned are the rows on presigned requests.
func (e *s3Server) presigned() []row {
	return []row{
		{id: "s01", title: "presigned PUT If-None-Match:* honoured: 200 then 412", check: func(ctx context.Context) error {
			rq, err := e.ps.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &e.plain, Key: p("s01"), IfNoneMatch: p("*")})
			if err != nil {
				return err
			}
			hdr := fmt.Sprint(rq.SignedHeader)
			for i, w := range []int{200, 412} {
				st, b, _, err := presignDo(ctx, "PUT", rq.URL, rq.SignedHeader, strings.NewReader("a"), 1, nil)
				if err != nil || st != w {
					return fmt.Errorf("try %d: %d %s %v (signed headers %s)", i, st, xmlCode(b), err, hdr)
				}
			}
			return nil
		}},
		{id: "s02", title: "presigned PUT If-Match: right 200, then stale 412", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "s02", []byte("0"))
			if err != nil {
				return err
			}
			rq, err := e.ps.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &e.plain, Key: p("s02"), IfMatch: r.ETag})
			if err != nil {
				return err
			}
			for i, w := range []int{200, 412} {
				st, b, _, err := presignDo(ctx, "PUT", rq.URL, rq.SignedHeader, strings.NewReader("new"), 3, nil)
				if err != nil || st != w {
					return fmt.Errorf("try %d: %d %s %v", i, st, xmlCode(b), err)
				}
			}
			return nil
		}},
		{id: "s03", title: "presigned PUT: signed If-None-Match left out / altered -> 403", check: func(ctx context.Context) error {
			rq, err := e.ps.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &e.plain, Key: p("s03"), IfNoneMatch: p("*")})
			if err != nil {
				return err
			}
			if !strings.Contains(strings.ToLower(rq.URL), "if-none-match") {
				return infof("SDK did not sign the header")
			}
			st, b, _, err := presignDo(ctx, "PUT", rq.URL, rq.SignedHeader, strings.NewReader("a"), 1, map[string]string{"If-None-Match": ""})
			if err != nil || st != 403 && st != 400 {
				return fmt.Errorf("left out: %d %s %v", st, xmlCode(b), err)
			}
			st, b, _, err = presignDo(ctx, "PUT", rq.URL, rq.SignedHeader, strings.NewReader("a"), 1, map[string]string{"If-None-Match": `"abc"`})
			if err != nil || st != 403 && st != 400 {
				return fmt.Errorf("altered: %d %s %v", st, xmlCode(b), err)
			}
			return nil
		}},
		{id: "s04", title: "presigned PUT plain + unsigned If-None-Match header added by client", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "s04", []byte("keep"))
			rq, err := e.ps.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &e.plain, Key: p("s04")})
			if err != nil {
				return err
			}
			st, b, _, err := presignDo(ctx, "PUT", rq.URL, rq.SignedHeader, strings.NewReader("a"), 1, map[string]string{"If-None-Match": "*"})
			if err != nil {
				return err
			}
			if st == 200 {
				return fmt.Errorf("condition ignored: object overwritten")
			}
			return infof("%d %s", st, xmlCode(b))
		}},
		{id: "s05", title: "presigned GET, Range, response-content-disposition, versionId", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.ver, "s05", []byte("0123456789"))
			if err != nil {
				return err
			}
			e.put(ctx, e.ver, "s05", []byte("new"))
			rq, err := e.ps.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &e.ver, Key: p("s05"), VersionId: r.VersionId, ResponseContentDisposition: p("attachment; filename=q")})
			if err != nil {
				return err
			}
			st, b, h, err := presignDo(ctx, "GET", rq.URL, rq.SignedHeader, nil, -1, map[string]string{"Range": "bytes=2-4"})
			if err != nil || st != 206 || b != "234" {
				return fmt.Errorf("%d %q %v", st, b, err)
			}
			if h.Get("Content-Disposition") != "attachment; filename=q" {
				return fmt.Errorf("response-content-disposition ignored")
			}
			return nil
		}},
		{id: "s06", title: "presigned: expired -> 403, tampered key -> 403", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "s06", []byte("x"))
			rq, err := e.ps.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &e.plain, Key: p("s06")}, s3.WithPresignExpires(time.Second))
			if err != nil {
				return err
			}
			st, b, _, err := presignDo(ctx, "GET", strings.Replace(rq.URL, "/s06", "/b03", 1), rq.SignedHeader, nil, -1, nil)
			if err != nil || st != 403 {
				return fmt.Errorf("tampered: %d %s", st, xmlCode(b))
			}
			time.Sleep(2500 * time.Millisecond)
			st, b, _, err = presignDo(ctx, "GET", rq.URL, rq.SignedHeader, nil, -1, nil)
			if err != nil || st != 403 {
				return fmt.Errorf("expired: %d %s", st, xmlCode(b))
			}
			return nil
		}},
		{id: "s07", title: "presigned DELETE with If-Match: stale 412, right 204", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "s07", []byte("x"))
			if err != nil {
				return err
			}
			do := func(et string) (int, string, error) {
				rq, err := e.ps.PresignDeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &e.plain, Key: p("s07"), IfMatch: &et})
				if err != nil {
					return 0, "", err
				}
				st, b, _, err := presignDo(ctx, "DELETE", rq.URL, rq.SignedHeader, nil, -1, nil)
				return st, b, err
			}
			st, b, err := do(`"00000000000000000000000000000000"`)
			if err != nil || st != 412 {
				return fmt.Errorf("stale: %d %s %v", st, xmlCode(b), err)
			}
			st, b, err = do(*r.ETag)
			if err != nil || st != 204 {
				return fmt.Errorf("right: %d %s %v", st, xmlCode(b), err)
			}
			return nil
		}},
		{id: "s08", title: "presigned UploadPart + CompleteMPU with If-None-Match", check: func(ctx context.Context) error {
			c, err := e.c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &e.plain, Key: p("s08")})
			if err != nil {
				return err
			}
			rq, err := e.ps.PresignUploadPart(ctx, &s3.UploadPartInput{Bucket: &e.plain, Key: p("s08"), UploadId: c.UploadId, PartNumber: p(int32(1))})
			if err != nil {
				return err
			}
			st, b, h, err := presignDo(ctx, "PUT", rq.URL, rq.SignedHeader, strings.NewReader("part"), 4, nil)
			if err != nil || st != 200 {
				return fmt.Errorf("part: %d %s %v", st, xmlCode(b), err)
			}
			if _, err := e.complete(ctx, e.plain, "s08", *c.UploadId, []types.CompletedPart{{ETag: p(h.Get("ETag")), PartNumber: p(int32(1))}}, func(i *s3.CompleteMultipartUploadInput) { i.IfNoneMatch = p("*") }); err != nil {
				return fmt.Errorf("complete: %s", code(err))
			}
			return e.is(ctx, e.plain, "s08", []byte("part"))
		}},
	}
}
