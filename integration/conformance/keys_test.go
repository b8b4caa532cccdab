package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// keys are the rows on keys that are easily got wrong.
func (e *s3Server) keys() []row {
	return []row{
		{id: "o13", title: "odd key: trailing slash with data", check: func(ctx context.Context) error {
			_, err := e.put(ctx, e.plain, "o13/", []byte("data"))
			if err != nil {
				return fmt.Errorf("put: %s", code(err))
			}
			return e.is(ctx, e.plain, "o13/", []byte("data"))
		}},
		{id: "o20", title: "key `a` together with `a/b` (both orders), `a/`", check: func(ctx context.Context) error {
			var bad []string
			for _, o := range [][]string{{"o20x", "o20x/b"}, {"o20y/b", "o20y"}, {"o20z", "o20z/"}} {
				for _, k := range o {
					b := []byte("of " + k)
					if strings.HasSuffix(k, "/") {
						b = nil
					}
					if _, err := e.put(ctx, e.plain, k, b); err != nil {
						bad = append(bad, fmt.Sprintf("put %s of %v: %s", k, o, code(err)))
					}
				}
				if len(bad) == 0 {
					for _, k := range o {
						b := []byte("of " + k)
						if strings.HasSuffix(k, "/") {
							b = nil
						}
						if err := e.is(ctx, e.plain, k, b); err != nil {
							bad = append(bad, err.Error())
						}
					}
				}
			}
			if len(bad) > 0 {
				return fmt.Errorf("%s", strings.Join(bad, "; "))
			}
			return nil
		}},
		{id: "o27", title: "dot files at the root and below: listed, also with delimiter", check: func(ctx context.Context) error {
			for _, k := range []string{".o27", ".o27d/.profile", "o27/.git/HEAD", "o27/..data"} {
				if _, err := e.put(ctx, e.plain, k, []byte("x")); err != nil {
					return fmt.Errorf("put %s: %s", k, code(err))
				}
			}
			a, c, _, err := e.listAll(ctx, e.plain, ".o27", func(i *s3.ListObjectsV2Input) { i.Delimiter = p("/") })
			if err != nil || len(a) != 1 || len(c) != 1 {
				return fmt.Errorf("root: %d objects, %d prefixes %s", len(a), len(c), code(err))
			}
			a, c, _, err = e.listAll(ctx, e.plain, "o27/", func(i *s3.ListObjectsV2Input) { i.Delimiter = p("/") })
			if err != nil || len(a) != 1 || len(c) != 1 {
				return fmt.Errorf("below: %d objects, %d prefixes %s", len(a), len(c), code(err))
			}
			return nil
		}},
		{id: "o24", title: "keys differing only in case", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "o24Case", []byte("1"))
			e.put(ctx, e.plain, "o24case", []byte("2"))
			return first(e.is(ctx, e.plain, "o24Case", []byte("1")), e.is(ctx, e.plain, "o24case", []byte("2")))
		}},
		{id: "o26", title: "implicit directory is no object: HEAD a, HEAD a/ after PUT a/b; gone after delete", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.plain, "o26/d/b", []byte("x")); err != nil {
				return err
			}
			_, e1 := e.head(ctx, e.plain, "o26/d")
			_, e2 := e.head(ctx, e.plain, "o26/d/")
			e.del(ctx, e.plain, "o26/d/b")
			_, c, _, err := e.listAll(ctx, e.plain, "o26/", func(i *s3.ListObjectsV2Input) { i.Delimiter = p("/") })
			if err != nil {
				return err
			}
			if status(e1) != 404 || status(e2) != 404 || len(c) != 0 {
				return fmt.Errorf("HEAD d %s, HEAD d/ %s, prefixes after delete %v", code(e1), code(e2), c)
			}
			return nil
		}},
	}
}
