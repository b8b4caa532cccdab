package conformance

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// An s3seed is what is written before the server is killed.
type s3seed struct {
	ids  []string
	dm   string
	lock string
	mpu  string
	up   string
	err  error
}

// seed writes what must survive a kill -9 of the server.
func (e *s3Server) seed() *s3seed {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s := &s3seed{}
	for i := 0; i < 3; i++ {
		r, err := e.put(ctx, e.ver, "persist", []byte(fmt.Sprintf("v%d", i)), func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"n": fmt.Sprint(i)} })
		if err != nil {
			s.err = err
			return s
		}
		s.ids = append(s.ids, aws.ToString(r.VersionId))
	}
	if r, err := e.put(ctx, e.ver, "persist-del", []byte("d")); err == nil {
		_ = r
		if d, err := e.del(ctx, e.ver, "persist-del"); err == nil {
			s.dm = aws.ToString(d.VersionId)
		}
	}
	if r, err := e.put(ctx, e.lock, "persist-lock", []byte("l"), func(i *s3.PutObjectInput) {
		i.ObjectLockMode = types.ObjectLockModeGovernance
		i.ObjectLockRetainUntilDate = p(time.Now().Add(time.Hour))
	}); err == nil {
		s.lock = aws.ToString(r.VersionId)
	}
	e.put(ctx, e.plain, "persist-plain", []byte("plain"))
	if c, err := e.c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &e.plain, Key: p("persist-mpu")}); err == nil {
		u, err := e.c.UploadPart(ctx, &s3.UploadPartInput{Bucket: &e.plain, Key: p("persist-mpu"), UploadId: c.UploadId, PartNumber: p(int32(1)), Body: bytes.NewReader([]byte("part"))})
		if err == nil {
			s.mpu, s.up = *c.UploadId, *u.ETag
		}
	}
	return s
}

// restarts are the rows on what the seed left, after a kill -9.
func (e *s3Server) restarts(s *s3seed) []row {
	return []row{
		{id: "r01", title: "after kill -9 + restart: plain object there", check: func(ctx context.Context) error {
			return e.is(ctx, e.plain, "persist-plain", []byte("plain"))
		}},
		{id: "r02", title: "after restart: versioning status, 3 versions, ids, order, metadata", check: func(ctx context.Context) error {
			if s.err != nil {
				return s.err
			}
			g, err := e.c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &e.ver})
			if err != nil || g.Status != types.BucketVersioningStatusEnabled {
				return fmt.Errorf("status lost: %s", code(err))
			}
			for i, id := range s.ids {
				d, o, err := e.get(ctx, e.ver, "persist", getVer(id))
				if err != nil || string(d) != fmt.Sprintf("v%d", i) || o.Metadata["n"] != fmt.Sprint(i) {
					return fmt.Errorf("version %d: %q %s", i, d, code(err))
				}
			}
			v, _, _, err := e.listVersions(ctx, e.ver, "persist")
			if err != nil {
				return err
			}
			var ids []string
			for _, x := range v {
				if x.key == "persist" {
					ids = append(ids, x.id)
				}
			}
			if len(ids) != 3 || ids[0] != s.ids[2] || ids[2] != s.ids[0] {
				return fmt.Errorf("%d versions listed or order lost", len(ids))
			}
			return nil
		}},
		{id: "r03", title: "after restart: delete marker there", check: func(ctx context.Context) error {
			v, _, _, err := e.listVersions(ctx, e.ver, "persist-del")
			if err != nil {
				return err
			}
			for _, x := range v {
				if x.dm && x.id == s.dm && s.dm != "" && x.latest {
					return nil
				}
			}
			return fmt.Errorf("marker %q not listed", s.dm)
		}},
		{id: "r04", title: "after restart: lock still refuses the delete", check: func(ctx context.Context) error {
			if s.lock == "" {
				return fmt.Errorf("nothing seeded")
			}
			_, err := e.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &e.lock, Key: p("persist-lock"), VersionId: &s.lock})
			return wantRefused("delete", err)
		}},
		{id: "r05", title: "after restart: open multipart upload can be completed", check: func(ctx context.Context) error {
			if s.mpu == "" {
				return fmt.Errorf("nothing seeded")
			}
			if _, err := e.complete(ctx, e.plain, "persist-mpu", s.mpu, []types.CompletedPart{{ETag: &s.up, PartNumber: p(int32(1))}}); err != nil {
				return fmt.Errorf("%s", code(err))
			}
			return e.is(ctx, e.plain, "persist-mpu", []byte("part"))
		}},
		{id: "r06", title: "after restart: conditional update with the old ETag works", check: func(ctx context.Context) error {
			h, err := e.head(ctx, e.plain, "persist-plain")
			if err != nil {
				return err
			}
			_, e1 := e.put(ctx, e.plain, "persist-plain", []byte("2"), ifMatch(*h.ETag))
			_, e2 := e.put(ctx, e.plain, "persist-plain", []byte("3"), ifMatch(*h.ETag))
			return first(want("right", e1, 200), want("stale", e2, 412))
		}},
	}
}
