package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	// Time is when the version became the current one, as far as that is known: its
	// LastModified, but never before the version that it replaced. A multipart upload has that of
	// its start.
	Time time.Time
}

// Versions returns all versions and deletions of a key, oldest first; a key that never was
// has none. That of a directory gives those of its marker. It fails with the errors of the
// store.
func (h *History) Versions(ctx context.Context, key string) ([]Version, error) {
	var versions []Version
	err := h.pages(ctx, store.VersionOptions{Prefix: key}, func(page store.VersionPage) bool {
		for _, v := range page.Versions {
			if v.Info.Key != key {
				return false // a key comes before all longer ones
			}
			versions = append(versions, Version{Info: v.Info, Deleted: v.Deleted})
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("listing the versions of %q: %w", key, err)
	}
	slices.Reverse(versions) // S3 lists the newest first
	setTimes(versions)
	setNames(versions)
	return versions, nil
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

// deletedSuffix ends the names of deletions.
const deletedSuffix = "~deleted"

// setNames names versions that are in order and have their times.
func setNames(versions []Version) {
	ids := shortIDs(versions)
	for i := 0; i < len(versions); {
		second := versions[i].Time.Unix()
		end := i + 1
		for end < len(versions) && versions[end].Time.Unix() == second {
			end++
		}
		// Three digits, unless there are more than a thousand: then as many as keep the
		// order of text.
		width := max(3, len(fmt.Sprint(end-i-1)))
		for n := range end - i {
			v := &versions[i+n]
			v.Name = fmt.Sprintf("%s.%0*d~%s", v.Time.Format("2006-01-02T15:04:05Z"), width, n, ids[i+n])
			if v.Deleted {
				v.Name += deletedSuffix
			}
		}
		i = end
	}
}

// shortID is how much of a version id a name shows, if that is enough.
const shortID = 8

// shortIDs returns the beginnings of the versions' ids, of eight characters or as many as it
// takes for no older id to begin so: ids of some servers begin with the time. The older
// one's stays as it was when there was no newer.
func shortIDs(versions []Version) []string {
	ids := make([]string, len(versions))
	// The oldest id with this beginning; of the beginnings that only one has, the shortest alone
	// is there.
	older := make(map[string]string)
	for i, v := range versions {
		id := safe(v.Info.VersionID)
		n := min(shortID, len(id))
		for n < len(id) {
			other, ok := older[id[:n]]
			if !ok {
				break
			}
			if n++; len(other) >= n {
				older[other[:n]] = other
			}
		}
		ids[i] = id[:n]
		older[id[:n]] = id
	}
	return ids
}

// safe makes a version id part of a file's name: ids are opaque, and "~" ends them. On a
// bucket that never was versioned there is none; S3 calls that version "null". No id looks like the
// end of a deletion's name.
func safe(id string) string {
	if "~"+id == deletedSuffix {
		return id + "_"
	}
	if id == "" {
		return "null"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, id)
}
