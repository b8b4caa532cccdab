package conformance

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// roundTrips are the rows that put, get, list and delete an odd key.
func (e *s3Server) roundTrips() (rows []row) {
	for _, t := range oddKeys {
		pre := t.id + "-"
		k := pre + t.key
		if t.id == "o15" {
			k = "/" + pre + "lead"
			pre = "/" + pre
		}
		rows = append(rows, row{id: t.id, title: "odd key: " + t.name, check: func(ctx context.Context) error {
			body := []byte("body of " + t.id)
			if strings.HasSuffix(k, "/") {
				body = nil
			}
			if _, err := e.put(ctx, e.plain, k, body); err != nil {
				if t.id == "o25" { // AWS keys are UTF-8, a refusal is right
					return infof("put: %s", code(err))
				}
				return fmt.Errorf("put: %s", code(err))
			}
			if err := e.is(ctx, e.plain, k, body); err != nil {
				return err
			}
			var note string
			for _, enc := range []types.EncodingType{"", types.EncodingTypeUrl} {
				l, err := e.c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &e.plain, Prefix: &pre, EncodingType: enc})
				if err != nil {
					note += fmt.Sprintf(" list enc=%q: %s;", enc, code(err))
					continue
				}
				if len(l.Contents) != 1 {
					return fmt.Errorf("list enc=%q: %d entries", enc, len(l.Contents))
				}
				got := aws.ToString(l.Contents[0].Key)
				switch {
				case enc == types.EncodingTypeUrl && l.EncodingType == types.EncodingTypeUrl:
					u, err := url.QueryUnescape(got)
					if err != nil || u != k {
						if u2, _ := url.PathUnescape(got); u2 == k {
							note += " '+' left bare in url encoding;"
						} else {
							return fmt.Errorf("list url: %q", got)
						}
					}
				case enc == types.EncodingTypeUrl: // url encoding ignored by the server, see l07
					if got != k {
						return fmt.Errorf("list (url ignored) shows %q", got)
					}
				case got != k:
					note += fmt.Sprintf(" plain list shows %q;", got)
				}
			}
			if _, err := e.del(ctx, e.plain, k); err != nil {
				return fmt.Errorf("delete: %s", code(err))
			}
			if _, err := e.head(ctx, e.plain, k); status(err) != 404 {
				return fmt.Errorf("head after delete: %s", code(err))
			}
			if note != "" {
				return infof("round trip fine;%s", note)
			}
			return nil
		}})
	}
	return rows
}

// oddKeys are the keys that a round trip is made with.
var oddKeys = []struct{ id, name, key string }{
	{"o01", "space", "sp ace/a b"},
	{"o02", "plus", "pl+us+"},
	{"o03", "percent (%41, %, %2F)", "pc%41/%/100%/%2F"},
	{"o04", "unicode NFC/emoji/CJK", "é日本\U0001F600"},
	{"o05", "unicode NFD differs from NFC", "e\u0301nfd"},
	{"o06", "newline", "new\nline"},
	{"o07", "CR and tab", "c\rr\tt"},
	{"o08", "control 0x01", "ctl\x01x"},
	{"o09", "& < > \" '", "a&b<c>d\"e'f"},
	{"o10", "? # * : ; = @ , ! $ ~ ( ) [ ] { } | ^ `", "q?h#*:;=@,!$~()[]{}|^`"},
	{"o11", "backslash", `back\slash\`},
	{"o12", "trailing slash, empty", "dir/"},
	{"o14", "double slash", "a//b"},
	{"o15", "leading slash", "/lead"},
	{"o16", ". segment", "x/./y"},
	{"o17", ".. segment (stays inside the prefix)", "x/z/../w"},
	{"o18", "ends in /.", "x/."},
	{"o19", "dot file, dot-tmp names", ".hid/.sgwtmp/x"},
	{"o21", "segment of 260 bytes (> NAME_MAX)", strings.Repeat("n", 256)},
	{"o22", "key of 1,000 bytes in 50-byte segments", strings.Repeat(strings.Repeat("k", 49)+"/", 19) + strings.Repeat("k", 30)},
	{"o23", "segment of 255 bytes", strings.Repeat("m", 251)},
	{"o25", "invalid UTF-8 byte 0xff", "bad\xffutf"},
}
