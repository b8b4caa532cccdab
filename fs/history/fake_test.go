package history

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A bucket is versions in the order in which they were made; it lists them as S3 does.
type bucket struct {
	versions []store.Version
	page     int
	requests int
	err      error
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// add makes a version of a key at a time in seconds after noon.
func (b *bucket) add(key, id string, at float64) {
	b.versions = append(b.versions, store.Version{Info: store.Info{
		Key: key, ETag: "etag-" + id, VersionID: id, Size: 5,
		LastModified: noon.Add(time.Duration(at * float64(time.Second))),
	}})
}

// del adds a delete marker.
func (b *bucket) del(key, id string, at float64) {
	b.add(key, id, at)
	v := &b.versions[len(b.versions)-1]
	v.Deleted, v.Info.ETag, v.Info.Size = true, "", 0
}

func (b *bucket) Head(_ context.Context, key, version string) (store.Info, error) {
	b.requests++
	for _, v := range b.versions {
		if v.Info.Key == key && v.Info.VersionID == version && !v.Deleted {
			v.Info.Props.ContentType = "text/plain"
			return v.Info, b.err
		}
	}
	return store.Info{}, store.ErrNotFound
}

func (b *bucket) ListVersions(_ context.Context, o store.VersionOptions) (p store.VersionPage, err error) {
	b.requests++
	if b.err != nil {
		return p, b.err
	}
	sorted := slices.Clone(b.versions)
	slices.Reverse(sorted)
	slices.SortStableFunc(sorted, func(a, b store.Version) int { return cmp.Compare(a.Info.Key, b.Info.Key) })
	limit := cmp.Or(b.page, 1000)
	limit = min(limit, cmp.Or(o.Max, limit))
	before := o.VersionMarker != "" // the versions of KeyMarker that were listed
	for _, v := range sorted {
		key := v.Info.Key
		rest, ok := strings.CutPrefix(key, o.Prefix)
		if !ok || key < o.KeyMarker || key == o.KeyMarker && o.VersionMarker == "" {
			continue
		}
		if key == o.KeyMarker && before {
			before = v.Info.VersionID != o.VersionMarker
			continue
		}
		prefix := ""
		if i := strings.Index(rest, o.Delimiter); o.Delimiter != "" && i >= 0 {
			prefix = o.Prefix + rest[:i+1]
			if prefix <= o.KeyMarker || len(p.Prefixes) > 0 && p.Prefixes[len(p.Prefixes)-1] == prefix {
				continue
			}
		}
		if len(p.Versions)+len(p.Prefixes) == limit {
			return p, nil
		}
		if prefix != "" {
			p.Prefixes = append(p.Prefixes, prefix)
			p.NextKey, p.NextVersion = prefix, ""
		} else {
			p.Versions = append(p.Versions, v)
			p.NextKey, p.NextVersion = key, v.Info.VersionID
		}
	}
	p.NextKey, p.NextVersion = "", ""
	return p, nil
}
