package conformance

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// basics are the rows on buckets, bodies and credentials.
func (e *s3Server) basics() []row {
	return []row{
		{id: "b02", title: "PutObject/GetObject with SDK default (trailing CRC32)", check: func(ctx context.Context) error {
			d := data(1, 100_000)
			if _, err := e.put(ctx, e.plain, "b02", d); err != nil {
				return err
			}
			return e.is(ctx, e.plain, "b02", d)
		}},
		{id: "b03", title: "ETag = quoted md5, same in PUT/HEAD/GET/List", check: func(ctx context.Context) error {
			d := data(2, 1000)
			r, err := e.put(ctx, e.plain, "b03", d)
			if err != nil {
				return err
			}
			exp := `"` + md5hex(d) + `"`
			h, err := e.head(ctx, e.plain, "b03")
			if err != nil {
				return err
			}
			_, g, err := e.get(ctx, e.plain, "b03")
			if err != nil {
				return err
			}
			l, _, _, err := e.listAll(ctx, e.plain, "b03")
			if err != nil || len(l) != 1 {
				return fmt.Errorf("list: %d %v", len(l), err)
			}
			if aws.ToString(r.ETag) != exp || aws.ToString(h.ETag) != exp || aws.ToString(g.ETag) != exp || aws.ToString(l[0].ETag) != exp {
				return fmt.Errorf("want %s: put %s head %s get %s list %s", exp, aws.ToString(r.ETag), aws.ToString(h.ETag), aws.ToString(g.ETag), aws.ToString(l[0].ETag))
			}
			if aws.ToInt64(l[0].Size) != 1000 || aws.ToInt64(h.ContentLength) != 1000 {
				return fmt.Errorf("size wrong")
			}
			if h.LastModified == nil || time.Since(*h.LastModified).Abs() > 10*time.Second || l[0].LastModified == nil {
				return fmt.Errorf("Last-Modified missing or off: %v", h.LastModified)
			}
			return nil
		}},
		{id: "b04", title: "zero-byte object", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.plain, "b04", nil); err != nil {
				return err
			}
			return e.is(ctx, e.plain, "b04", nil)
		}},
		{id: "b05", title: "checksum kept: CRC32C, SHA256, CRC64NVME on PUT, seen in HEAD", check: func(ctx context.Context) error {
			d := data(3, 5000)
			for _, a := range []types.ChecksumAlgorithm{types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmSha256, types.ChecksumAlgorithmCrc64nvme} {
				k := "b05-" + string(a)
				if _, err := e.put(ctx, e.plain, k, d, func(i *s3.PutObjectInput) { i.ChecksumAlgorithm = a }); err != nil {
					return fmt.Errorf("%s: %s", a, code(err))
				}
				h, err := e.c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &e.plain, Key: &k, ChecksumMode: types.ChecksumModeEnabled})
				if err != nil {
					return err
				}
				got := aws.ToString(h.ChecksumCRC32) + aws.ToString(h.ChecksumCRC32C) + aws.ToString(h.ChecksumSHA256) + aws.ToString(h.ChecksumCRC64NVME)
				if got == "" {
					return fmt.Errorf("%s: HEAD shows no checksum", a)
				}
				if a == types.ChecksumAlgorithmCrc64nvme && got != crc64nvme(d) {
					return fmt.Errorf("crc64nvme %s want %s", got, crc64nvme(d))
				}
			}
			return nil
		}},
		{id: "b06", title: "wrong checksum and wrong Content-MD5 refused (400)", check: func(ctx context.Context) error {
			d := data(4, 500)
			_, err := e.put(ctx, e.plain, "b06", d, func(i *s3.PutObjectInput) { i.ChecksumCRC32 = p(crc32b64([]byte("other"))) })
			if status(err) != 400 {
				return fmt.Errorf("wrong CRC32: %s", code(err))
			}
			m := md5.Sum([]byte("other"))
			_, err = e.put(ctx, e.plain, "b06", d, func(i *s3.PutObjectInput) { i.ContentMD5 = p(base64.StdEncoding.EncodeToString(m[:])) })
			if status(err) != 400 {
				return fmt.Errorf("wrong MD5: %s", code(err))
			}
			if _, err = e.head(ctx, e.plain, "b06"); status(err) != 404 {
				return fmt.Errorf("object exists after refusals: %s", code(err))
			}
			return nil
		}},
		{id: "b07", title: "bad credentials: wrong secret, unknown key, anonymous -> 403", check: func(ctx context.Context) error {
			c := newS3Client(e.endpoint, e.region, e.ak, "wrong-secret-wrong-secret", 2)
			_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &e.plain})
			a := code(err)
			c = newS3Client(e.endpoint, e.region, "UNKNOWNKEY1234567890", e.sk, 2)
			_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &e.plain})
			b := code(err)
			st, _, _, _ := presignDo(ctx, "GET", e.endpoint+"/"+e.plain+"/b02", nil, nil, -1, nil)
			if !strings.HasPrefix(a, "403/") || !strings.HasPrefix(b, "403/") || st != 403 {
				return fmt.Errorf("wrong secret: %s; unknown key: %s; anonymous GET: %d", a, b, st)
			}
			if a != "403/SignatureDoesNotMatch" || b != "403/InvalidAccessKeyId" {
				return infof("403s but codes %s, %s", a, b)
			}
			return nil
		}},
		{id: "b08", title: "slow body: 64 KiB dribbled over 6 s accepted", check: func(ctx context.Context) error {
			d := data(5, 65536)
			rq, err := e.ps.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &e.plain, Key: p("b08")})
			if err != nil {
				return err
			}
			pr, pw := io.Pipe()
			go func() {
				for i := 0; i < 16; i++ {
					_, _ = pw.Write(d[i*4096 : (i+1)*4096])
					time.Sleep(375 * time.Millisecond)
				}
				pw.Close()
			}()
			st, body, _, err := presignDo(ctx, "PUT", rq.URL, rq.SignedHeader, pr, int64(len(d)), nil)
			if err != nil || st != 200 {
				return fmt.Errorf("%d %s %v", st, xmlCode(body), err)
			}
			return e.is(ctx, e.plain, "b08", d)
		}},
		{id: "b09", title: "client dies in mid-body: old object untouched, no new one", check: func(ctx context.Context) error {
			old := []byte("old content")
			if _, err := e.put(ctx, e.plain, "b09", old); err != nil {
				return err
			}
			for _, k := range []string{"b09", "b09-new"} {
				rq, err := e.ps.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &e.plain, Key: p(k)})
				if err != nil {
					return err
				}
				u, _ := url.Parse(rq.URL)
				c, err := net.Dial("tcp", u.Host)
				if err != nil {
					return err
				}
				fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000\r\n", u.RequestURI(), u.Host)
				for hk, hv := range rq.SignedHeader {
					if !strings.EqualFold(hk, "host") && !strings.EqualFold(hk, "content-length") {
						fmt.Fprintf(c, "%s: %s\r\n", hk, hv[0])
					}
				}
				fmt.Fprintf(c, "\r\n")
				_, _ = c.Write(data(9, 300000))
				time.Sleep(200 * time.Millisecond)
				c.Close()
			}
			time.Sleep(500 * time.Millisecond)
			if err := e.is(ctx, e.plain, "b09", old); err != nil {
				return err
			}
			if _, err := e.head(ctx, e.plain, "b09-new"); status(err) != 404 {
				return fmt.Errorf("truncated object was stored: %s", code(err))
			}
			return nil
		}},
		{id: "b10", title: "SDK unseekable stream body (aws-chunked, unsigned trailer over http)", check: func(ctx context.Context) error {
			d := data(6, 200_000)
			// an io.Reader that is not a Seeker needs https for UNSIGNED-PAYLOAD-TRAILER; use explicit v4 unsigned payload
			_, err := e.c.PutObject(ctx, &s3.PutObjectInput{Bucket: &e.plain, Key: p("b10"), Body: struct{ io.Reader }{bytes.NewReader(d)}, ContentLength: p(int64(len(d)))},
				s3.WithAPIOptions(swapUnsigned))
			if err != nil {
				return fmt.Errorf("%s", code(err))
			}
			return e.is(ctx, e.plain, "b10", d)
		}},
		{id: "b11", title: "Expect: 100-continue PUT refused before body (412 with If-None-Match)", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.plain, "b11", []byte("x")); err != nil {
				return err
			}
			rq, err := e.ps.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &e.plain, Key: p("b11"), IfNoneMatch: p("*")})
			if err != nil {
				return err
			}
			d := data(7, 8<<20)
			cr := &countReader{r: bytes.NewReader(d)}
			hr, _ := http.NewRequestWithContext(ctx, "PUT", rq.URL, cr)
			for k, v := range rq.SignedHeader {
				if !strings.EqualFold(k, "host") {
					hr.Header[k] = v
				}
			}
			hr.ContentLength = int64(len(d))
			hr.Header.Set("Expect", "100-continue")
			cl := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 3 * time.Second}}
			rs, err := cl.Do(hr)
			if err != nil {
				return infof("client error %v after %d bytes", err, cr.n)
			}
			io.Copy(io.Discard, rs.Body)
			rs.Body.Close()
			return infof("status %d after %d of %d body bytes were sent", rs.StatusCode, cr.n, len(d))
		}},
		{id: "b12", title: "truncated body, SDK-style signed aws-chunked with trailer: refused", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "b12", []byte("old"))
			d := data(3, 300000)
			_, err := e.c.PutObject(ctx, &s3.PutObjectInput{Bucket: &e.plain, Key: p("b12"), Body: bytes.NewReader(d)}, func(o *s3.Options) {
				o.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: cutDial(150000)}}
			})
			if err == nil {
				return fmt.Errorf("no error seen by the client")
			}
			time.Sleep(700 * time.Millisecond)
			return e.is(ctx, e.plain, "b12", []byte("old"))
		}},
	}
}
