package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// versions are the rows on versioned buckets.
func (e *s3Server) versions() []row {
	return []row{
		{id: "v02", title: "ListObjectVersions: newest first, IsLatest, ids, delete marker first", check: func(ctx context.Context) error {
			ids, err := e.writeVersions(ctx, "v02", 6)
			if err != nil {
				return err
			}
			d, err := e.del(ctx, e.ver, "v02")
			if err != nil {
				return err
			}
			v, _, _, err := e.listVersions(ctx, e.ver, "v02")
			if err != nil {
				return fmt.Errorf("%s", code(err))
			}
			var vs, dm []vent
			for _, x := range v {
				if x.dm {
					dm = append(dm, x)
				} else {
					vs = append(vs, x)
				}
			}
			if len(vs) != 6 || len(dm) != 1 || !dm[0].latest || dm[0].id != aws.ToString(d.VersionId) {
				return fmt.Errorf("%d versions, %d markers (latest %v)", len(vs), len(dm), len(dm) > 0 && dm[0].latest)
			}
			for i, x := range vs {
				if x.id != ids[5-i] || x.latest {
					return fmt.Errorf("position %d has version of put %d (latest=%v): not newest first", i, indexOf(ids, x.id), x.latest)
				}
			}
			return nil
		}},
		{id: "v03", title: "paging max-keys=2 with key-/version-id-marker over 3 keys x 3", check: func(ctx context.Context) error {
			var all []string
			for _, k := range []string{"v03/a", "v03/b", "v03/c"} {
				ids, err := e.writeVersions(ctx, k, 3)
				if err != nil {
					return err
				}
				for i := len(ids) - 1; i >= 0; i-- {
					all = append(all, k+"@"+ids[i])
				}
			}
			v, _, pages, err := e.listVersions(ctx, e.ver, "v03/", func(i *s3.ListObjectVersionsInput) { i.MaxKeys = p(int32(2)) })
			if err != nil {
				return fmt.Errorf("%s", code(err))
			}
			var got []string
			for _, x := range v {
				got = append(got, x.key+"@"+x.id)
			}
			if strings.Join(got, ",") != strings.Join(all, ",") {
				return fmt.Errorf("%d entries over %d pages, want 9 in order", len(got), pages)
			}
			return nil
		}},
		{id: "v04", title: "ListObjectVersions with delimiter; prefix; key-marker alone", check: func(ctx context.Context) error {
			for _, k := range []string{"v04/a", "v04/d/x", "v04/d/y", "v04/z"} {
				if _, err := e.writeVersions(ctx, k, 2); err != nil {
					return err
				}
			}
			e.del(ctx, e.ver, "v04/d/x")
			v, c, _, err := e.listVersions(ctx, e.ver, "v04/", func(i *s3.ListObjectVersionsInput) { i.Delimiter = p("/") })
			if err != nil {
				return fmt.Errorf("%s", code(err))
			}
			if len(v) != 4 || strings.Join(c, ",") != "v04/d/" {
				return fmt.Errorf("%d versions, prefixes %v", len(v), c)
			}
			v, _, _, err = e.listVersions(ctx, e.ver, "v04/", func(i *s3.ListObjectVersionsInput) { i.KeyMarker = p("v04/a") })
			if err != nil || len(v) != 7 {
				return fmt.Errorf("key-marker: %d entries, want 7 %s", len(v), code(err))
			}
			return nil
		}},
		{id: "v05", title: "GET older version of a deleted key; HEAD of marker 404+header; marker by id 405", check: func(ctx context.Context) error {
			ids, err := e.writeVersions(ctx, "v05", 2)
			if err != nil {
				return err
			}
			d, err := e.del(ctx, e.ver, "v05")
			if err != nil {
				return err
			}
			g, _, err := e.get(ctx, e.ver, "v05", getVer(ids[0]))
			if err != nil || string(g) != "v05#0" {
				return fmt.Errorf("old version: %q %s", g, code(err))
			}
			_, _, err = e.get(ctx, e.ver, "v05")
			if code(err) != "404/NoSuchKey" {
				return fmt.Errorf("current: %s", code(err))
			}
			rq, err := e.ps.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: &e.ver, Key: p("v05")})
			if err != nil {
				return err
			}
			st, _, hd, err := presignDo(ctx, "HEAD", rq.URL, rq.SignedHeader, nil, -1, nil)
			if err != nil || st != 404 {
				return fmt.Errorf("presigned HEAD %d %v", st, err)
			}
			note := ""
			if hd.Get("x-amz-delete-marker") != "true" {
				note = "no x-amz-delete-marker header on the 404; "
			}
			_, _, err = e.get(ctx, e.ver, "v05", getVer(aws.ToString(d.VersionId)))
			if status(err) != 405 {
				note += "GET of the marker by id: " + code(err)
			}
			if note != "" {
				return infof("old version readable; %s", note)
			}
			return nil
		}},
		{id: "v06", title: "permanent delete of a version; older becomes current; delete marker removed restores", check: func(ctx context.Context) error {
			ids, err := e.writeVersions(ctx, "v06", 3)
			if err != nil {
				return err
			}
			dv := func(id string) error {
				_, err := e.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &e.ver, Key: p("v06"), VersionId: &id})
				return err
			}
			if err := dv(ids[2]); err != nil {
				return fmt.Errorf("delete current version: %s", code(err))
			}
			if err := e.is(ctx, e.ver, "v06", []byte("v06#1")); err != nil {
				return fmt.Errorf("after deleting current: %w", err)
			}
			if err := dv(ids[0]); err != nil {
				return fmt.Errorf("delete old version: %s", code(err))
			}
			d, err := e.del(ctx, e.ver, "v06")
			if err != nil {
				return err
			}
			if err := dv(aws.ToString(d.VersionId)); err != nil {
				return fmt.Errorf("delete marker: %s", code(err))
			}
			if err := e.is(ctx, e.ver, "v06", []byte("v06#1")); err != nil {
				return fmt.Errorf("after removing the marker: %w", err)
			}
			v, _, _, err := e.listVersions(ctx, e.ver, "v06")
			if err != nil || len(v) != 1 || v[0].id != ids[1] || !v[0].latest {
				return fmt.Errorf("%d entries left %s", len(v), code(err))
			}
			return nil
		}},
		{id: "v07", title: "restore by copy of an older version, with If-Match on destination", check: func(ctx context.Context) error {
			ids, err := e.writeVersions(ctx, "v07", 3)
			if err != nil {
				return err
			}
			h, err := e.head(ctx, e.ver, "v07")
			if err != nil {
				return err
			}
			if _, err := e.c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &e.ver, Key: p("v07"), CopySource: p(e.ver + "/v07?versionId=" + ids[0]), IfMatch: h.ETag}); err != nil {
				return fmt.Errorf("%s", code(err))
			}
			v, _, _, err := e.listVersions(ctx, e.ver, "v07")
			if err != nil || len(v) != 4 {
				return fmt.Errorf("%d versions, want 4 %s", len(v), code(err))
			}
			return e.is(ctx, e.ver, "v07", []byte("v07#0"))
		}},
		{id: "v08", title: "each version keeps its own metadata, size, ETag; HEAD by versionId", check: func(ctx context.Context) error {
			var ids, ets []string
			for i := 0; i < 3; i++ {
				r, err := e.put(ctx, e.ver, "v08", data(byte(i), 100+i), func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"n": fmt.Sprint(i)} })
				if err != nil {
					return err
				}
				ids, ets = append(ids, aws.ToString(r.VersionId)), append(ets, *r.ETag)
			}
			for i, id := range ids {
				h, err := e.c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &e.ver, Key: p("v08"), VersionId: &id})
				if err != nil {
					return fmt.Errorf("%s", code(err))
				}
				if h.Metadata["n"] != fmt.Sprint(i) || aws.ToInt64(h.ContentLength) != int64(100+i) || aws.ToString(h.ETag) != ets[i] {
					return fmt.Errorf("version %d: meta %v len %d etag %s", i, h.Metadata, aws.ToInt64(h.ContentLength), aws.ToString(h.ETag))
				}
			}
			g, _, err := e.get(ctx, e.ver, "v08", getVer(ids[0]), func(i *s3.GetObjectInput) { i.Range = p("bytes=5-9") })
			if err != nil || !bytes.Equal(g, data(0, 100)[5:10]) {
				return fmt.Errorf("range of a version: %s", code(err))
			}
			return nil
		}},
		{id: "v09", title: "unknown/malformed versionId -> 404/400", check: func(ctx context.Context) error {
			if _, err := e.writeVersions(ctx, "v09", 1); err != nil {
				return err
			}
			_, _, e1 := e.get(ctx, e.ver, "v09", getVer("no-such-version"))
			_, _, e2 := e.get(ctx, e.ver, "v09", getVer("01HZZZZZZZZZZZZZZZZZZZZZZZ"))
			return first(want("malformed", e1, 400, 404), want("unknown", e2, 400, 404))
		}},
		{id: "v10", title: "pre-versioning object becomes `null` version; suspend writes null", check: func(ctx context.Context) error {
			b := e.ver + "s"
			if _, err := e.c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b}); err != nil {
				return err
			}
			set := func(s types.BucketVersioningStatus) error {
				_, err := e.c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &b, VersioningConfiguration: &types.VersioningConfiguration{Status: s}})
				return err
			}
			e.put(ctx, b, "k", []byte("before"))
			if err := set(types.BucketVersioningStatusEnabled); err != nil {
				return fmt.Errorf("enable: %s", code(err))
			}
			e.put(ctx, b, "k", []byte("enabled"))
			g, _, err := e.get(ctx, b, "k", getVer("null"))
			if err != nil || string(g) != "before" {
				return fmt.Errorf("null version: %q %s", g, code(err))
			}
			if err := set(types.BucketVersioningStatusSuspended); err != nil {
				return fmt.Errorf("suspend: %s", code(err))
			}
			e.put(ctx, b, "k", []byte("suspended"))
			g, _, err = e.get(ctx, b, "k", getVer("null"))
			if err != nil || string(g) != "suspended" {
				return fmt.Errorf("null after suspend: %q %s", g, code(err))
			}
			v, _, _, err := e.listVersions(ctx, b, "k")
			if err != nil || len(v) != 2 {
				return fmt.Errorf("%d versions, want 2 %s", len(v), code(err))
			}
			return nil
		}},
		{id: "v11", title: "DeleteObjects with VersionId; ListObjectsV2 hides deleted keys", check: func(ctx context.Context) error {
			ids, err := e.writeVersions(ctx, "v11", 2)
			if err != nil {
				return err
			}
			e.del(ctx, e.ver, "v11")
			if o, _, _, err := e.listAll(ctx, e.ver, "v11"); err != nil || len(o) != 0 {
				return fmt.Errorf("deleted key listed (%d)", len(o))
			}
			_, err = e.c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &e.ver, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: p("v11"), VersionId: &ids[0]}, {Key: p("v11"), VersionId: &ids[1]}}}})
			if err != nil {
				return fmt.Errorf("%s", code(err))
			}
			v, _, _, err := e.listVersions(ctx, e.ver, "v11")
			if err != nil || len(v) != 1 || !v[0].dm {
				return fmt.Errorf("%d entries left %s", len(v), code(err))
			}
			return nil
		}},
		{id: "v12", title: "multipart on versioned bucket: new version, id in reply, old kept", check: func(ctx context.Context) error {
			ids, err := e.writeVersions(ctx, "v12", 1)
			if err != nil {
				return err
			}
			id, ps, err := e.mpu(ctx, e.ver, "v12", [][]byte{data(1, 5<<20), data(2, 9)})
			if err != nil {
				return err
			}
			r, err := e.complete(ctx, e.ver, "v12", id, ps)
			if err != nil {
				return fmt.Errorf("%s", code(err))
			}
			g, _, err := e.get(ctx, e.ver, "v12", getVer(ids[0]))
			if err != nil || string(g) != "v12#0" {
				return fmt.Errorf("old: %s", code(err))
			}
			if aws.ToString(r.VersionId) == "" {
				return fmt.Errorf("no VersionId in CompleteMultipartUpload reply")
			}
			return nil
		}},
	}
}

// writeVersions writes n versions of a key and gives their ids, the oldest first.
func (e *s3Server) writeVersions(ctx context.Context, k string, n int) ([]string, error) {
	var ids []string
	for i := 0; i < n; i++ {
		r, err := e.put(ctx, e.ver, k, []byte(fmt.Sprintf("%s#%d", k, i)))
		if err != nil {
			return nil, err
		}
		if aws.ToString(r.VersionId) == "" {
			return nil, fmt.Errorf("no version id")
		}
		ids = append(ids, aws.ToString(r.VersionId))
	}
	return ids, nil
}
