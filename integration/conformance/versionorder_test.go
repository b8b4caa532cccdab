package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// versionOrder are the rows on the place of a completed upload among the versions: it is as
// old as its CreateMultipartUpload.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
func (e *s3Server) versionOrder() []row {
	return []row{
		{id: "v13", title: "upload completed after a newer PUT lies below it; LastModified is its start", check: func(ctx context.Context) error {
			began := time.Now()
			id, ps, err := e.mpu(ctx, e.ver, "v13", onePart())
			if err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			newer, err := e.put(ctx, e.ver, "v13", []byte("newer"))
			if err != nil {
				return err
			}
			r, err := e.complete(ctx, e.ver, "v13", id, ps)
			if err != nil {
				return fmt.Errorf("complete: %s", code(err))
			}
			h, err := e.c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &e.ver, Key: p("v13"), VersionId: r.VersionId})
			if err != nil {
				return fmt.Errorf("head of the upload: %s", code(err))
			}
			if d := h.LastModified.Sub(began); d.Abs() >= 2*time.Second {
				return fmt.Errorf("LastModified is %v after the start of the upload", d)
			}
			return first(e.is(ctx, e.ver, "v13", []byte("newer")), e.ordered(ctx, "v13", newer.VersionId, r.VersionId))
		}},
		{id: "v14", title: "of two uploads the one begun later is current, though completed first", check: func(ctx context.Context) error {
			early, eps, err := e.mpu(ctx, e.ver, "v14", [][]byte{[]byte("early")})
			if err != nil {
				return err
			}
			late, lps, err := e.mpu(ctx, e.ver, "v14", [][]byte{[]byte("late")})
			if err != nil {
				return err
			}
			l, err := e.complete(ctx, e.ver, "v14", late, lps)
			if err != nil {
				return fmt.Errorf("complete the late one: %s", code(err))
			}
			y, err := e.complete(ctx, e.ver, "v14", early, eps)
			if err != nil {
				return fmt.Errorf("complete the early one: %s", code(err))
			}
			return first(e.is(ctx, e.ver, "v14", []byte("late")), e.ordered(ctx, "v14", l.VersionId, y.VersionId))
		}},
		{id: "v15", title: "CompleteMPU If-Match passes over a newer change of metadata alone, and lies below it", check: func(ctx context.Context) error {
			base, err := e.put(ctx, e.ver, "v15", []byte("base"))
			if err != nil {
				return err
			}
			id, ps, err := e.mpu(ctx, e.ver, "v15", onePart())
			if err != nil {
				return err
			}
			touched, err := e.c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &e.ver, Key: p("v15"), CopySource: p(e.ver + "/v15"),
				MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"touched": "yes"}})
			if err != nil {
				return fmt.Errorf("copy: %s", code(err))
			}
			r, err := e.complete(ctx, e.ver, "v15", id, ps, completeIfMatch(*base.ETag))
			if err != nil {
				return fmt.Errorf("complete: %s", code(err))
			}
			h, err := e.head(ctx, e.ver, "v15")
			if err != nil || aws.ToString(h.VersionId) != aws.ToString(touched.VersionId) || h.Metadata["touched"] != "yes" {
				return fmt.Errorf("current is %s with %v, %s", aws.ToString(h.VersionId), h.Metadata, code(err))
			}
			return e.ordered(ctx, "v15", touched.VersionId, r.VersionId, base.VersionId)
		}},
		{id: "v16", title: "upload of a name that came and went meanwhile lies below the delete marker", check: func(ctx context.Context) error {
			id, ps, err := e.mpu(ctx, e.ver, "v16", onePart())
			if err != nil {
				return err
			}
			quick, err := e.put(ctx, e.ver, "v16", []byte("quick"))
			if err != nil {
				return err
			}
			d, err := e.del(ctx, e.ver, "v16")
			if err != nil {
				return err
			}
			r, err := e.complete(ctx, e.ver, "v16", id, ps, completeIfAbsent)
			if err != nil {
				return fmt.Errorf("complete: %s", code(err))
			}
			_, err = e.head(ctx, e.ver, "v16")
			if err := want("head", err, 404); err != nil {
				return err
			}
			if _, _, err := e.get(ctx, e.ver, "v16", getVer(*r.VersionId)); err != nil {
				return fmt.Errorf("the version by its id: %s", code(err))
			}
			return e.ordered(ctx, "v16", d.VersionId, quick.VersionId, r.VersionId)
		}},
	}
}

// ordered checks the ids of a key's versions and markers, the newest first.
func (e *s3Server) ordered(ctx context.Context, k string, want ...*string) error {
	r, err := e.c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &e.ver, Prefix: &k})
	if err != nil {
		return fmt.Errorf("list: %s", code(err))
	}
	// The SDK has markers and versions in two lists; a marker can only be the newest here.
	var got []string
	for _, m := range r.DeleteMarkers {
		if !aws.ToBool(m.IsLatest) {
			return fmt.Errorf("the marker %s is not the latest", aws.ToString(m.VersionId))
		}
		got = append(got, aws.ToString(m.VersionId))
	}
	for _, v := range r.Versions {
		if latest := len(got) == 0; aws.ToBool(v.IsLatest) != latest {
			return fmt.Errorf("version %s is latest: %v", aws.ToString(v.VersionId), aws.ToBool(v.IsLatest))
		}
		got = append(got, aws.ToString(v.VersionId))
	}
	for i, id := range want {
		if len(got) != len(want) || got[i] != aws.ToString(id) {
			return fmt.Errorf("versions %v, want %v", got, aws.ToStringSlice(want))
		}
	}
	return nil
}
