package conformance

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// multiparts are the rows on uploads in parts.
func (e *s3Server) multiparts() []row {
	return []row{
		{id: "p01", title: "multipart 5+5+1 MiB: content, ETag md5-of-md5s-3", check: func(ctx context.Context) error {
			parts := [][]byte{data(21, 5<<20), data(22, 5<<20), data(23, 1<<20)}
			id, ps, err := e.mpu(ctx, e.plain, "p01", parts, func(i *s3.CreateMultipartUploadInput) {
				i.Metadata = map[string]string{"k": "v"}
				i.ContentType = p("app/x")
			})
			if err != nil {
				return err
			}
			r, err := e.complete(ctx, e.plain, "p01", id, ps)
			if err != nil {
				return fmt.Errorf("complete: %s", code(err))
			}
			var all []byte
			for _, d := range parts {
				m := md5.Sum(d)
				all = append(all, m[:]...)
			}
			m := md5.Sum(all)
			exp := `"` + hex.EncodeToString(m[:]) + `-3"`
			h, err := e.head(ctx, e.plain, "p01")
			if err != nil {
				return err
			}
			if h.Metadata["k"] != "v" || aws.ToString(h.ContentType) != "app/x" {
				return fmt.Errorf("metadata of CreateMultipartUpload lost: %v %s", h.Metadata, aws.ToString(h.ContentType))
			}
			if err := e.is(ctx, e.plain, "p01", bytes.Join(parts, nil)); err != nil {
				return err
			}
			if aws.ToString(r.ETag) != exp || aws.ToString(h.ETag) != exp {
				return fmt.Errorf("etag complete %s head %s want %s", aws.ToString(r.ETag), aws.ToString(h.ETag), exp)
			}
			return nil
		}},
		{id: "p02", title: "UploadPartCopy with range", check: func(ctx context.Context) error {
			src := data(24, 12<<20)
			if _, err := e.put(ctx, e.plain, "p02s", src); err != nil {
				return err
			}
			c, err := e.c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &e.plain, Key: p("p02d")})
			if err != nil {
				return err
			}
			var ps []types.CompletedPart
			rng := [][2]int{{0, 5<<20 - 1}, {6 << 20, 11<<20 - 1}}
			var exp []byte
			for i, g := range rng {
				r, err := e.c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: &e.plain, Key: p("p02d"), UploadId: c.UploadId, PartNumber: p(int32(i + 1)), CopySource: p(e.plain + "/p02s"), CopySourceRange: p(fmt.Sprintf("bytes=%d-%d", g[0], g[1]))})
				if err != nil {
					return fmt.Errorf("copy part: %s", code(err))
				}
				ps = append(ps, types.CompletedPart{ETag: r.CopyPartResult.ETag, PartNumber: p(int32(i + 1))})
				exp = append(exp, src[g[0]:g[1]+1]...)
			}
			tail := []byte("tail")
			u, err := e.c.UploadPart(ctx, &s3.UploadPartInput{Bucket: &e.plain, Key: p("p02d"), UploadId: c.UploadId, PartNumber: p(int32(3)), Body: bytes.NewReader(tail)})
			if err != nil {
				return err
			}
			ps = append(ps, types.CompletedPart{ETag: u.ETag, PartNumber: p(int32(3))})
			if _, err := e.complete(ctx, e.plain, "p02d", *c.UploadId, ps); err != nil {
				return fmt.Errorf("complete: %s", code(err))
			}
			return e.is(ctx, e.plain, "p02d", append(exp, tail...))
		}},
		{id: "p03", title: "UploadPartCopy copy-source-if-match wrong -> 412", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.plain, "p03s", data(1, 100)); err != nil {
				return err
			}
			c, err := e.c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &e.plain, Key: p("p03d")})
			if err != nil {
				return err
			}
			_, err = e.c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: &e.plain, Key: p("p03d"), UploadId: c.UploadId, PartNumber: p(int32(1)), CopySource: p(e.plain + "/p03s"), CopySourceIfMatch: p(`"00000000000000000000000000000000"`)})
			return want("wrong", err, 412)
		}},
		e.fullObjectSum("p04", types.ChecksumAlgorithmCrc32),
		e.fullObjectSum("p05", types.ChecksumAlgorithmCrc64nvme),
		{id: "p06", title: "ListParts, ListMultipartUploads(prefix), Abort, then NoSuchUpload", check: func(ctx context.Context) error {
			id, ps, err := e.mpu(ctx, e.plain, "p06/x", [][]byte{data(1, 5<<20), data(2, 10)})
			if err != nil {
				return err
			}
			lp, err := e.c.ListParts(ctx, &s3.ListPartsInput{Bucket: &e.plain, Key: p("p06/x"), UploadId: &id})
			if err != nil || len(lp.Parts) != 2 || aws.ToInt64(lp.Parts[0].Size) != 5<<20 {
				return fmt.Errorf("ListParts: %s", code(err))
			}
			lm, err := e.c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &e.plain, Prefix: p("p06/")})
			if err != nil || len(lm.Uploads) != 1 || aws.ToString(lm.Uploads[0].UploadId) != id {
				return fmt.Errorf("ListMultipartUploads: %s (%d)", code(err), func() int {
					if lm == nil {
						return -1
					}
					return len(lm.Uploads)
				}())
			}
			if _, err = e.c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &e.plain, Key: p("p06/x"), UploadId: &id}); err != nil {
				return fmt.Errorf("abort: %s", code(err))
			}
			_, err = e.complete(ctx, e.plain, "p06/x", id, ps)
			if code(err) != "404/NoSuchUpload" {
				return fmt.Errorf("complete after abort: %s", code(err))
			}
			if l, _, _, _ := e.listAll(ctx, e.plain, "p06/"); len(l) != 0 {
				return fmt.Errorf("listing shows %d", len(l))
			}
			return nil
		}},
		{id: "p07", title: "part < 5 MiB in the middle -> EntityTooSmall", check: func(ctx context.Context) error {
			id, ps, err := e.mpu(ctx, e.plain, "p07", [][]byte{data(1, 1000), data(2, 1000)})
			if err != nil {
				return err
			}
			_, err = e.complete(ctx, e.plain, "p07", id, ps)
			if err == nil {
				return infof("accepted (laxer than AWS)")
			}
			return want("complete", err, 400)
		}},
		{id: "p08", title: "GET/HEAD partNumber=2 and PartsCount", check: func(ctx context.Context) error {
			parts := [][]byte{data(27, 5<<20), data(28, 4321)}
			id, ps, err := e.mpu(ctx, e.plain, "p08", parts)
			if err != nil {
				return err
			}
			if _, err = e.complete(ctx, e.plain, "p08", id, ps); err != nil {
				return err
			}
			d, g, err := e.get(ctx, e.plain, "p08", func(i *s3.GetObjectInput) { i.PartNumber = p(int32(2)) })
			if err != nil {
				return fmt.Errorf("get part: %s", code(err))
			}
			if !bytes.Equal(d, parts[1]) || aws.ToInt32(g.PartsCount) != 2 {
				return fmt.Errorf("part has %d bytes (want %d), PartsCount %d", len(d), len(parts[1]), aws.ToInt32(g.PartsCount))
			}
			return nil
		}},
		{id: "p09", title: "wrong part ETag -> InvalidPart; part numbers 1,3,7 fine", check: func(ctx context.Context) error {
			c, err := e.c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &e.plain, Key: p("p09")})
			if err != nil {
				return err
			}
			var ps []types.CompletedPart
			var exp []byte
			for _, n := range []int32{1, 3, 7} {
				d := data(byte(n), 5<<20)
				u, err := e.c.UploadPart(ctx, &s3.UploadPartInput{Bucket: &e.plain, Key: p("p09"), UploadId: c.UploadId, PartNumber: p(n), Body: bytes.NewReader(d)})
				if err != nil {
					return err
				}
				exp = append(exp, d...)
				ps = append(ps, types.CompletedPart{ETag: u.ETag, PartNumber: p(n)})
			}
			bad := append([]types.CompletedPart{}, ps...)
			bad[1].ETag = p(`"00000000000000000000000000000000"`)
			_, err = e.complete(ctx, e.plain, "p09", *c.UploadId, bad)
			if code(err) != "400/InvalidPart" {
				return fmt.Errorf("bad etag: %s", code(err))
			}
			if _, err = e.complete(ctx, e.plain, "p09", *c.UploadId, ps); err != nil {
				return fmt.Errorf("1,3,7: %s", code(err))
			}
			return e.is(ctx, e.plain, "p09", exp)
		}},
		{id: "p10", title: "MpuObjectSize wrong -> 400", check: func(ctx context.Context) error {
			id, ps, err := e.mpu(ctx, e.plain, "p10", [][]byte{data(1, 1000)})
			if err != nil {
				return err
			}
			_, err = e.complete(ctx, e.plain, "p10", id, ps, func(i *s3.CompleteMultipartUploadInput) { i.MpuObjectSize = p(int64(999)) })
			if err == nil {
				return infof("ignored")
			}
			return want("wrong size", err, 400)
		}},
	}
}

// fullObjectSum is the row on a checksum of the whole object over parts.
func (e *s3Server) fullObjectSum(id string, a types.ChecksumAlgorithm) row {
	return row{id: id, title: "multipart FULL_OBJECT " + string(a) + ": given, checked, seen in HEAD", check: func(ctx context.Context) error {
		parts := [][]byte{data(25, 5<<20), data(26, 777)}
		whole := bytes.Join(parts, nil)
		set := func(sum string) func(*s3.CompleteMultipartUploadInput) {
			return func(i *s3.CompleteMultipartUploadInput) {
				i.ChecksumType = types.ChecksumTypeFullObject
				if a == types.ChecksumAlgorithmCrc32 {
					i.ChecksumCRC32 = &sum
				} else {
					i.ChecksumCRC64NVME = &sum
				}
			}
		}
		good, bad := crc32b64(whole), crc32b64([]byte("q"))
		if a == types.ChecksumAlgorithmCrc64nvme {
			good, bad = crc64nvme(whole), crc64nvme([]byte("q"))
		}
		o := func(i *s3.CreateMultipartUploadInput) {
			i.ChecksumAlgorithm = a
			i.ChecksumType = types.ChecksumTypeFullObject
		}
		uid, ps, err := e.mpu(ctx, e.plain, id, parts, o)
		if err != nil {
			return err
		}
		_, err = e.complete(ctx, e.plain, id, uid, ps, set(bad))
		if status(err) != 400 {
			return fmt.Errorf("wrong full-object sum: %s", code(err))
		}
		uid, ps, err = e.mpu(ctx, e.plain, id, parts, o)
		if err != nil {
			return err
		}
		if _, err = e.complete(ctx, e.plain, id, uid, ps, set(good)); err != nil {
			return fmt.Errorf("right sum: %s", code(err))
		}
		h, err := e.c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &e.plain, Key: p(id), ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			return err
		}
		if got := aws.ToString(h.ChecksumCRC32) + aws.ToString(h.ChecksumCRC64NVME); got != good {
			return fmt.Errorf("HEAD shows %q want %q (type %s)", got, good, h.ChecksumType)
		}
		return e.is(ctx, e.plain, id, whole)
	}}
}
