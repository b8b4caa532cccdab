package memstore

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/store"
)

// maxPage is the most entries of a page that S3 gives.
const maxPage = 1000

func limit(n int) int {
	if n <= 0 || n > maxPage {
		return maxPage
	}
	return n
}

// fold gives the entry of a listing that stands for a key: the key itself, or the part of it up
// to the first delimiter after the prefix.
func fold(key, prefix, delimiter string) (entry string, folded bool) {
	if delimiter != "" {
		if i := strings.Index(key[len(prefix):], delimiter); i >= 0 {
			return key[:len(prefix)+i+len(delimiter)], true
		}
	}
	return key, false
}

// keys are the names with that prefix that come after another one, in order of their bytes.
// b.mu is held.
func (b *Bucket) keys(prefix, after string) []string {
	keys := slices.Sorted(maps.Keys(b.objects))
	return slices.DeleteFunc(keys, func(k string) bool { return k <= after || !strings.HasPrefix(k, prefix) })
}

// List implements store.API. A token is the last entry of the page before: what was written or
// deleted since is seen if it comes after, and nothing is shown twice.
func (b *Bucket) List(ctx context.Context, o store.ListOptions) (store.ListPage, error) {
	var page store.ListPage
	c, err := b.begin(ctx, "List", "")
	if err != nil {
		return page, err
	}
	last, err := base64.RawURLEncoding.DecodeString(o.Token)
	if err != nil {
		return page, c.refused("InvalidArgument")
	}
	shown := string(last)
	after := o.After
	if shown != "" {
		after = "" // S3 ignores start-after then
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, key := range b.keys(o.Prefix, after) {
		v := b.current(key)
		entry, folded := fold(key, o.Prefix, o.Delimiter)
		if v == nil || entry <= shown {
			continue
		}
		if n == limit(o.Max) {
			page.Next = base64.RawURLEncoding.EncodeToString([]byte(shown))
			break
		}
		n++
		shown = entry
		if folded {
			page.Prefixes = append(page.Prefixes, entry)
			continue
		}
		page.Objects = append(page.Objects, store.Info{Key: key, ETag: v.etag, Size: int64(len(v.body)),
			LastModified: v.modified, Props: store.Props{StorageClass: v.props.StorageClass}})
	}
	return page, nil
}

// ListVersions implements store.API.
func (b *Bucket) ListVersions(ctx context.Context, o store.VersionOptions) (store.VersionPage, error) {
	var page store.VersionPage
	c, err := b.begin(ctx, "ListVersions", "")
	if err != nil {
		return page, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.misorder(page.Versions) }()
	rest := -1 // versions of KeyMarker that are older than the marker
	if o.VersionMarker != "" {
		if rest = b.index(o.KeyMarker, o.VersionMarker); rest < 0 {
			return page, c.refused("InvalidArgument")
		}
	}
	n, shown, mark := 0, o.KeyMarker, ""
	full := func() bool {
		if n < limit(o.Max) {
			n++
			return false
		}
		page.NextKey, page.NextVersion = shown, mark
		return true
	}
	for _, key := range b.keys(o.Prefix, "") {
		entry, folded := fold(key, o.Prefix, o.Delimiter)
		older := len(b.objects[key])
		if key == o.KeyMarker && rest > 0 && !folded {
			older = rest
		} else if entry <= shown {
			continue
		}
		if folded {
			if full() {
				return page, nil
			}
			page.Prefixes = append(page.Prefixes, entry)
			shown, mark = entry, ""
			continue
		}
		for i := older - 1; i >= 0; i-- {
			if full() {
				return page, nil
			}
			v := b.objects[key][i]
			page.Versions = append(page.Versions, listed(key, v, i == len(b.objects[key])-1))
			shown, mark = key, v.id
		}
	}
	return page, nil
}

// listed is a version as a listing shows it: with an id even before versioning was ever on.
func listed(key string, v *version, latest bool) store.Version {
	return store.Version{Latest: latest, Deleted: v.deleted, Info: store.Info{Key: key, ETag: v.etag, VersionID: v.id,
		Size: int64(len(v.body)), LastModified: v.modified, Props: store.Props{StorageClass: v.props.StorageClass}}}
}
