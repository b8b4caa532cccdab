package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func (e *s3Server) listAll(ctx context.Context, b, prefix string, o ...func(*s3.ListObjectsV2Input)) ([]types.Object, []string, int, error) {
	in := &s3.ListObjectsV2Input{Bucket: &b, Prefix: &prefix}
	for _, f := range o {
		f(in)
	}
	var objs []types.Object
	var cps []string
	pages := 0
	for {
		r, err := e.c.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, nil, pages, err
		}
		pages++
		objs = append(objs, r.Contents...)
		for _, c := range r.CommonPrefixes {
			cps = append(cps, aws.ToString(c.Prefix))
		}
		if !aws.ToBool(r.IsTruncated) {
			return objs, cps, pages, nil
		}
		if aws.ToString(r.NextContinuationToken) == "" {
			return nil, nil, pages, fmt.Errorf("truncated without NextContinuationToken")
		}
		in.ContinuationToken = r.NextContinuationToken
		if pages > 2000 {
			return nil, nil, pages, fmt.Errorf("listing does not end")
		}
	}
}

type vent struct {
	key, id, etag string
	dm, latest    bool
	mod           time.Time
}

func (e *s3Server) listVersions(ctx context.Context, b, prefix string, o ...func(*s3.ListObjectVersionsInput)) ([]vent, []string, int, error) {
	in := &s3.ListObjectVersionsInput{Bucket: &b, Prefix: &prefix}
	for _, f := range o {
		f(in)
	}
	var out []vent
	var cps []string
	pages := 0
	for {
		r, err := e.c.ListObjectVersions(ctx, in)
		if err != nil {
			return nil, nil, pages, err
		}
		pages++
		var page []vent
		for _, v := range r.Versions {
			page = append(page, vent{aws.ToString(v.Key), aws.ToString(v.VersionId), aws.ToString(v.ETag), false, aws.ToBool(v.IsLatest), aws.ToTime(v.LastModified)})
		}
		for _, v := range r.DeleteMarkers {
			page = append(page, vent{aws.ToString(v.Key), aws.ToString(v.VersionId), "", true, aws.ToBool(v.IsLatest), aws.ToTime(v.LastModified)})
		}
		out = append(out, page...)
		for _, c := range r.CommonPrefixes {
			cps = append(cps, aws.ToString(c.Prefix))
		}
		if !aws.ToBool(r.IsTruncated) {
			return out, cps, pages, nil
		}
		if r.NextKeyMarker == nil {
			return nil, nil, pages, fmt.Errorf("truncated without NextKeyMarker")
		}
		in.KeyMarker, in.VersionIdMarker = r.NextKeyMarker, r.NextVersionIdMarker
		if pages > 500 {
			return nil, nil, pages, fmt.Errorf("version listing does not end")
		}
	}
}

func indexOf(a []string, s string) int {
	for i, x := range a {
		if x == s {
			return i
		}
	}
	return -1
}
