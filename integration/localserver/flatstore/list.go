package flatstore

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// A page is one answer of a listing of current objects.
type page struct {
	objects   []s3response.Object
	prefixes  []types.CommonPrefix
	truncated bool
	last      string // the last entry, to go on after
}

func (p *page) count() int { return len(p.objects) + len(p.prefixes) }

// list gives the page of at most limit entries.
func (s *Store) list(name string, w walk, limit int, enc encoding) (*page, error) {
	p := &page{}
	err := s.viewBucket(name, func(b *bucket) error {
		if limit == 0 {
			return nil
		}
		c := b.versions().Cursor()
		return w.run(c, func(common, key string, k, v []byte) (bool, error) {
			if common != "" {
				visible, err := b.anyLive(common)
				if err != nil || !visible {
					return err == nil, err
				}
			}
			var row version
			if common == "" {
				if _, err := decodeRow(v, &row); err != nil {
					return false, err
				}
				if row.Marker {
					return true, nil
				}
			}
			if p.count() == limit {
				p.truncated = true
				return false, nil
			}
			if common != "" {
				p.prefixes, p.last = append(p.prefixes, types.CommonPrefix{Prefix: enc.of(common)}), common
				return true, nil
			}
			o := s3response.Object{
				Key: enc.of(key), Size: &row.Size, ETag: quoted(row.ETag), LastModified: &row.Modified,
				StorageClass: types.ObjectStorageClassStandard,
			}
			if row.Sum.Algorithm != "" {
				o.ChecksumAlgorithm, o.ChecksumType = []types.ChecksumAlgorithm{row.Sum.Algorithm}, row.Sum.Type
			}
			p.objects, p.last = append(p.objects, o), key
			return true, nil
		})
	})
	return p, err
}

// anyLive is whether some key below prefix has a current object.
func (b *bucket) anyLive(prefix string) (live bool, err error) {
	err = walk{prefix: prefix}.run(b.versions().Cursor(), func(_, _ string, _, v []byte) (bool, error) {
		var row version
		if _, err := decodeRow(v, &row); err != nil {
			return false, err
		}
		live = !row.Marker
		return !live, nil
	})
	return live, err
}

func urlEncoded(ctx context.Context, given types.EncodingType) encoding {
	return encoding(given == types.EncodingTypeUrl || strings.EqualFold(query(ctx, "encoding-type"), "url"))
}

func (e encoding) name() types.EncodingType {
	if e {
		return types.EncodingTypeUrl
	}
	return ""
}

// ListObjects is the first version of the listing.
func (s *Store) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (out s3response.ListObjectsResult, err error) {
	enc := urlEncoded(ctx, in.EncodingType)
	w := walk{prefix: deref(in.Prefix), delimiter: deref(in.Delimiter), after: deref(in.Marker)}
	p, err := s.list(deref(in.Bucket), w, int(deref(in.MaxKeys)), enc)
	if err != nil {
		return out, err
	}
	out = s3response.ListObjectsResult{
		Name: in.Bucket, Prefix: enc.of(w.prefix), Marker: enc.of(w.after), Delimiter: enc.opt(w.delimiter),
		MaxKeys: in.MaxKeys, IsTruncated: &p.truncated, Contents: p.objects, CommonPrefixes: p.prefixes,
		EncodingType: enc.name(),
	}
	if p.truncated && w.delimiter != "" { // without a delimiter the last key serves
		out.NextMarker = enc.of(p.last)
	}
	return out, nil
}

// ListObjectsV2 is the second. Its token is the last entry of the page before.
func (s *Store) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (out s3response.ListObjectsV2Result, err error) {
	enc := urlEncoded(ctx, in.EncodingType)
	w := walk{prefix: deref(in.Prefix), delimiter: deref(in.Delimiter), after: deref(in.StartAfter)}
	if token := deref(in.ContinuationToken); token != "" {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return out, s3err.APIError{Code: "InvalidArgument", Description: "The continuation token provided is incorrect", HTTPStatusCode: 400}
		}
		w.after = string(last)
	}
	p, err := s.list(deref(in.Bucket), w, int(deref(in.MaxKeys)), enc)
	if err != nil {
		return out, err
	}
	out = s3response.ListObjectsV2Result{
		Name: in.Bucket, Prefix: enc.of(w.prefix), StartAfter: enc.opt(deref(in.StartAfter)), Delimiter: enc.opt(w.delimiter),
		MaxKeys: in.MaxKeys, KeyCount: ptr(int32(p.count())), IsTruncated: &p.truncated,
		Contents: p.objects, CommonPrefixes: p.prefixes, EncodingType: enc.name(),
	}
	if in.ContinuationToken != nil && *in.ContinuationToken != "" {
		out.ContinuationToken = in.ContinuationToken
	}
	if p.truncated {
		out.NextContinuationToken = ptr(base64.RawURLEncoding.EncodeToString([]byte(p.last)))
	}
	return out, nil
}
