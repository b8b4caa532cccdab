package conformance

import (
	"context"
	"fmt"
	"strings"
)

// conditionalPuts are the rows on PutObject with If-Match and If-None-Match.
func (e *s3Server) conditionalPuts() []row {
	return []row{
		{id: "c01", title: "PUT If-None-Match:* on absent key -> 200", check: func(ctx context.Context) error {
			_, err := e.put(ctx, e.plain, "c01", []byte("a"), ifNoneMatch("*"))
			return want("put", err, 200)
		}},
		{id: "c02", title: "PUT If-None-Match:* on present key -> 412, content kept", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "c02", []byte("a"))
			_, err := e.put(ctx, e.plain, "c02", []byte("b"), ifNoneMatch("*"))
			if code(err) != "412/PreconditionFailed" {
				return fmt.Errorf("got %s", code(err))
			}
			return e.is(ctx, e.plain, "c02", []byte("a"))
		}},
		{id: "c03", title: "PUT If-None-Match:* after delete marker (versioned) -> 200", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.ver, "c03", []byte("a")); err != nil {
				return err
			}
			if _, err := e.del(ctx, e.ver, "c03"); err != nil {
				return err
			}
			if _, err := e.put(ctx, e.ver, "c03", []byte("b"), ifNoneMatch("*")); err != nil {
				return fmt.Errorf("after delete marker: %s", code(err))
			}
			_, err := e.put(ctx, e.ver, "c03", []byte("c"), ifNoneMatch("*"))
			return first(want("present again", err, 412), e.is(ctx, e.ver, "c03", []byte("b")))
		}},
		{id: "c04", title: "PUT If-Match right (quoted) -> 200", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "c04", []byte("a"))
			if err != nil {
				return err
			}
			_, err = e.put(ctx, e.plain, "c04", []byte("b"), ifMatch(*r.ETag))
			return first(want("put", err, 200), e.is(ctx, e.plain, "c04", []byte("b")))
		}},
		{id: "c05", title: "PUT If-Match wrong -> 412, content kept", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "c05", []byte("a"))
			_, err := e.put(ctx, e.plain, "c05", []byte("b"), ifMatch(`"`+md5hex([]byte("zz"))+`"`))
			return first(want("put", err, 412), e.is(ctx, e.plain, "c05", []byte("a")))
		}},
		{id: "c06", title: "PUT If-Match on absent key -> 404 NoSuchKey (AWS)", check: func(ctx context.Context) error {
			_, err := e.put(ctx, e.plain, "c06", []byte("b"), ifMatch(`"`+md5hex([]byte("zz"))+`"`))
			if status(err) == 412 {
				return infof("412 instead of 404: safe, other code")
			}
			if status(err) != 404 {
				return fmt.Errorf("got %s", code(err))
			}
			return nil
		}},
		{id: "c07", title: "PUT If-Match right, unquoted -> 200", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "c07", []byte("a"))
			if err != nil {
				return err
			}
			_, err = e.put(ctx, e.plain, "c07", []byte("b"), ifMatch(strings.Trim(*r.ETag, `"`)))
			if err != nil {
				return infof("refused: %s", code(err))
			}
			_, err = e.put(ctx, e.plain, "c07", []byte("c"), ifMatch(strings.Trim(*r.ETag, `"`)))
			return want("then stale unquoted", err, 412)
		}},
		{id: "c08", title: "PUT If-Match when current is a delete marker -> 404", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.ver, "c08", []byte("a"))
			if err != nil {
				return err
			}
			if _, err = e.del(ctx, e.ver, "c08"); err != nil {
				return err
			}
			_, err = e.put(ctx, e.ver, "c08", []byte("b"), ifMatch(*r.ETag))
			if status(err) == 412 {
				return infof("412 instead of 404: safe, other code")
			}
			return want("put", err, 404)
		}},
		{id: "c09", title: "PUT If-None-Match with an ETag (AWS: 501), If-Match:*", check: func(ctx context.Context) error {
			r, _ := e.put(ctx, e.plain, "c09", []byte("a"))
			if r == nil {
				return fmt.Errorf("put")
			}
			_, e1 := e.put(ctx, e.plain, "c09", []byte("b"), ifNoneMatch(*r.ETag))
			_, e2 := e.put(ctx, e.plain, "c09", []byte("b"), ifMatch("*"))
			return infof("If-None-Match:<etag> %s, If-Match:* %s", code(e1), code(e2))
		}},
		{id: "c10", title: "failed condition on versioned bucket makes no version", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.ver, "c10", []byte("a")); err != nil {
				return err
			}
			_, e1 := e.put(ctx, e.ver, "c10", []byte("b"), ifNoneMatch("*"))
			_, e2 := e.put(ctx, e.ver, "c10", []byte("b"), ifMatch(`"00000000000000000000000000000000"`))
			if err := first(want("inm", e1, 412), want("im", e2, 412)); err != nil {
				return err
			}
			v, _, _, err := e.listVersions(ctx, e.ver, "c10")
			if err != nil {
				return fmt.Errorf("list versions: %s", code(err))
			}
			if len(v) != 1 {
				return fmt.Errorf("%d versions, want 1", len(v))
			}
			return nil
		}},
		{id: "c11", title: "If-Match chain on versioned bucket: 5 updates, 5 new versions", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.ver, "c11", []byte("0"))
			if err != nil {
				return err
			}
			et := *r.ETag
			for i := 1; i <= 5; i++ {
				r, err = e.put(ctx, e.ver, "c11", []byte(fmt.Sprint(i)), ifMatch(et))
				if err != nil {
					return fmt.Errorf("update %d: %s", i, code(err))
				}
				et = *r.ETag
			}
			v, _, _, err := e.listVersions(ctx, e.ver, "c11")
			if err != nil || len(v) != 6 {
				return fmt.Errorf("%d versions, want 6 (%s)", len(v), code(err))
			}
			return nil
		}},
	}
}
