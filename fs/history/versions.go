package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A Version is one version of a key, or its deletion.
type Version struct {
	// Name is that of the version as a file (see the package's documentation). No two
	// versions of a key have the same.
	Name string
	// Info is what the listing tells: without properties, and for a deletion without ETag
	// and size. LastModified is as the server gave it.
	Info    store.Info
	Deleted bool
	// Meta: it has the ETag and the size of the version before, as a change of attributes has.
	Meta bool
	// Time is when the version became the current one, as far as that is known: its
	// LastModified, but never before the version that it replaced. A multipart upload has that of
	// its start.
	Time time.Time
}

// Versions returns all versions and deletions of a key, oldest first; a key that never was
// has none. That of a directory gives those of its marker. It fails with the errors of the
// store.
func (h *History) Versions(ctx context.Context, key string) ([]Version, error) {
	page, err := h.objects.ListVersions(ctx, store.VersionOptions{Prefix: key})
	if err != nil {
		return nil, fmt.Errorf("listing the versions of %q: %w", key, err)
	}
	return h.Rest(ctx, begin(key, page))
}

// A Beginning is the first page of the versions of a key.
type Beginning struct {
	key      string
	versions []Version            // newest first
	next     store.VersionOptions // the next page
	more     bool                 // there is one
}

func begin(key string, first store.VersionPage) Beginning {
	b := Beginning{key: key, next: store.VersionOptions{Prefix: key}}
	b.take(first)
	return b
}

// take adds a page.
func (b *Beginning) take(page store.VersionPage) {
	b.next.KeyMarker, b.next.VersionMarker = page.NextKey, page.NextVersion
	b.more = page.NextKey != ""
	for _, v := range page.Versions {
		if v.Info.Key != b.key {
			b.more = false // a key comes before all longer ones
			break
		}
		b.versions = append(b.versions, Version{Info: v.Info, Deleted: v.Deleted})
	}
}

// Rest returns what Versions would, with requests for what comes after the beginning alone. The
// beginning is used up.
func (h *History) Rest(ctx context.Context, b Beginning) ([]Version, error) {
	for b.more {
		page, err := h.objects.ListVersions(ctx, b.next)
		if err != nil {
			return nil, fmt.Errorf("listing the versions of %q: %w", b.key, err)
		}
		b.take(page)
	}
	order(b.versions)
	return b.versions, nil
}

// order brings the versions of a key, which S3 lists newest first, into the order in which they were
// made, and gives them their times and names.
func order(versions []Version) {
	slices.Reverse(versions)
	setTimes(versions)
	setMeta(versions)
	setNames(versions)
}

// setTimes lets the times follow the order of the versions.
func setTimes(versions []Version) {
	var last time.Time
	for i := range versions {
		v := &versions[i]
		v.Time = v.Info.LastModified.UTC()
		if v.Time.Before(last) {
			v.Time = last
		}
		last = v.Time
	}
}

// setMeta finds out which versions have the content of the one before.
func setMeta(versions []Version) {
	for i := 1; i < len(versions); i++ {
		v, last := &versions[i], versions[i-1]
		v.Meta = !v.Deleted && !last.Deleted && v.Info.ETag == last.Info.ETag && v.Info.Size == last.Info.Size
	}
}
