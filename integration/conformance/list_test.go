package conformance

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// lists are the rows on ListObjects.
func (e *s3Server) lists() []row {
	return []row{
		{id: "l01", title: "delimiter, start-after, max-keys paging with prefixes", check: func(ctx context.Context) error {
			for _, k := range []string{"l01/a/1", "l01/a/2", "l01/b", "l01/c/1", "l01/d", "l01/e/x/y"} {
				if _, err := e.put(ctx, e.plain, k, []byte("x")); err != nil {
					return err
				}
			}
			for _, mk := range []int32{0, 1, 2} {
				o, c, _, err := e.listAll(ctx, e.plain, "l01/", func(i *s3.ListObjectsV2Input) {
					i.Delimiter = p("/")
					if mk > 0 {
						i.MaxKeys = &mk
					}
				})
				if err != nil {
					return fmt.Errorf("max-keys %d: %s", mk, code(err))
				}
				if len(o) != 2 || strings.Join(c, ",") != "l01/a/,l01/c/,l01/e/" {
					return fmt.Errorf("max-keys %d: %d objects, prefixes %v", mk, len(o), c)
				}
			}
			o, c, _, err := e.listAll(ctx, e.plain, "l01/", func(i *s3.ListObjectsV2Input) { i.Delimiter = p("/"); i.StartAfter = p("l01/b") })
			if err != nil || len(o) != 1 || len(c) != 2 {
				return fmt.Errorf("start-after: %d %v %s", len(o), c, code(err))
			}
			o, c, _, err = e.listAll(ctx, e.plain, "l01", func(i *s3.ListObjectsV2Input) { i.Delimiter = p("/") })
			if err != nil || len(o) != 0 || strings.Join(c, ",") != "l01/" {
				return fmt.Errorf("prefix without slash: %d %v", len(o), c)
			}
			return nil
		}},
		{id: "l02", title: "5,000 keys: 5 pages of 1,000, right order, no gaps", limit: 180 * time.Second, check: func(ctx context.Context) error {
			if err := parallel(ctx, 5000, 16, func(i int) error {
				_, err := e.put(ctx, e.plain, fmt.Sprintf("l02/d%02d/f%04d", i%50, i), []byte("x"))
				return err
			}); err != nil {
				return err
			}
			o, _, pages, err := e.listAll(ctx, e.plain, "l02/")
			if err != nil {
				return err
			}
			if len(o) != 5000 || pages < 5 {
				return fmt.Errorf("%d keys in %d pages", len(o), pages)
			}
			for i := 1; i < len(o); i++ {
				if *o[i].Key <= *o[i-1].Key {
					return fmt.Errorf("order: %s after %s", *o[i].Key, *o[i-1].Key)
				}
			}
			_, c, _, err := e.listAll(ctx, e.plain, "l02/", func(i *s3.ListObjectsV2Input) { i.Delimiter = p("/") })
			if err != nil || len(c) != 50 {
				return fmt.Errorf("common prefixes %d %s", len(c), code(err))
			}
			if pages != 5 {
				return infof("right, but %d pages (last one empty)", pages)
			}
			return nil
		}},
		{id: "l03", title: "order is UTF-8 binary: A, a-b, a.b, a/b, a/c, a0, ab", check: func(ctx context.Context) error {
			ks := []string{"A", "a-b", "a.b", "a/b", "a/c", "a0", "ab", "b/", "b/x", "ä", "日本", "\U0001F600"}
			for _, k := range ks {
				body := []byte("x")
				if strings.HasSuffix(k, "/") {
					body = nil
				}
				if _, err := e.put(ctx, e.plain, "l03/"+k, body); err != nil {
					return fmt.Errorf("%q: %s", k, code(err))
				}
			}
			sort.Strings(ks)
			for _, mk := range []int32{1000, 1, 3} {
				o, _, _, err := e.listAll(ctx, e.plain, "l03/", func(i *s3.ListObjectsV2Input) { i.MaxKeys = &mk })
				if err != nil {
					return err
				}
				var got []string
				for _, x := range o {
					got = append(got, strings.TrimPrefix(*x.Key, "l03/"))
				}
				if fmt.Sprint(got) != fmt.Sprint(ks) {
					return fmt.Errorf("max-keys %d: %q want %q", mk, got, ks)
				}
			}
			return nil
		}},
		{id: "l04", title: "list-after-write and list-after-delete, 100 rounds", check: func(ctx context.Context) error {
			for i := 0; i < 100; i++ {
				k := fmt.Sprintf("l04/%d", i)
				if _, err := e.put(ctx, e.plain, k, []byte("x")); err != nil {
					return err
				}
				if o, _, _, err := e.listAll(ctx, e.plain, "l04/"); err != nil || len(o) != 1 {
					return fmt.Errorf("round %d: %d listed after put %v", i, len(o), err)
				}
				if _, err := e.del(ctx, e.plain, k); err != nil {
					return err
				}
				if o, _, _, err := e.listAll(ctx, e.plain, "l04/"); err != nil || len(o) != 0 {
					return fmt.Errorf("round %d: %d listed after delete %v", i, len(o), err)
				}
			}
			return nil
		}},
		{id: "l05", title: "max-keys=0; prefix with another delimiter; missing prefix", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "l05-a-b", nil)
			e.put(ctx, e.plain, "l05-a-c", nil)
			_, c, _, err := e.listAll(ctx, e.plain, "l05-", func(i *s3.ListObjectsV2Input) { i.Delimiter = p("-") })
			if err != nil || strings.Join(c, ",") != "l05-a-" {
				return fmt.Errorf("delimiter '-': %v %s", c, code(err))
			}
			r, err := e.c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &e.plain, Prefix: p("l05"), MaxKeys: p(int32(0))})
			if err != nil || len(r.Contents) != 0 || aws.ToBool(r.IsTruncated) {
				return fmt.Errorf("max-keys=0: %s", code(err))
			}
			o, _, _, err := e.listAll(ctx, e.plain, "nonexistent/")
			if err != nil || len(o) != 0 {
				return fmt.Errorf("missing prefix: %d %s", len(o), code(err))
			}
			return nil
		}},
		{id: "l06", title: "ListObjects (v1) with marker", check: func(ctx context.Context) error {
			for _, k := range []string{"l06/1", "l06/2", "l06/3"} {
				e.put(ctx, e.plain, k, nil)
			}
			r, err := e.c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: &e.plain, Prefix: p("l06/"), Marker: p("l06/1"), MaxKeys: p(int32(1))})
			if err != nil || len(r.Contents) != 1 || *r.Contents[0].Key != "l06/2" || !aws.ToBool(r.IsTruncated) {
				return fmt.Errorf("%s", code(err))
			}
			return nil
		}},
		{id: "l07", title: "encoding-type=url honoured in ListObjectsV2", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "l07 x", nil)
			l, err := e.c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &e.plain, Prefix: p("l07"), EncodingType: types.EncodingTypeUrl})
			if err != nil || len(l.Contents) != 1 {
				return fmt.Errorf("list: %s", code(err))
			}
			if l.EncodingType != types.EncodingTypeUrl || *l.Contents[0].Key == "l07 x" {
				return fmt.Errorf("ignored: key shown as %q", *l.Contents[0].Key)
			}
			return nil
		}},
	}
}
