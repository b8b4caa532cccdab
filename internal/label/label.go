// Package label gives versions names that people choose, and finds them by these.
//
// A label is in a tag of its version (store.Client.Label), and nowhere else: no index can be out of
// step with it, it goes with the version, and whatever removes versions sees it by the version alone.
// The price is that finding one asks for the tags of the versions, the newest first and many at a time.
// What stands on several versions of a key means the newest.
package label

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
)

// Bucket is what finding labels asks of a bucket; *store.Client has it.
type Bucket interface {
	Labels(ctx context.Context, key, version string) ([]string, error)
}

// A Finder finds labels. It implements history.Labels.
type Finder struct{ Bucket Bucket }

// batch is how many versions are asked for at a time.
const batch = 64

// Each calls use for the versions of a key that have labels, the newest first, until it returns
// false. Versions that went meanwhile have none.
func (f Finder) Each(ctx context.Context, versions []history.Version, use func(v history.Version, labels []string) bool) error {
	newest := slices.Clone(versions)
	slices.Reverse(newest)
	newest = slices.DeleteFunc(newest, func(v history.Version) bool { return v.Deleted || v.Info.VersionID == "" })
	for some := range slices.Chunk(newest, batch) {
		found, errs := make([][]string, len(some)), make([]error, len(some))
		var all sync.WaitGroup
		for i, v := range some {
			all.Go(func() { found[i], errs[i] = f.Bucket.Labels(ctx, v.Info.Key, v.Info.VersionID) })
		}
		all.Wait()
		for i, v := range some {
			switch {
			case errs[i] != nil && !errors.Is(errs[i], store.ErrNotFound):
				return errs[i]
			case len(found[i]) > 0 && !use(v, found[i]):
				return nil
			}
		}
	}
	return nil
}

// Labeled implements history.Labels.
func (f Finder) Labeled(ctx context.Context, versions []history.Version, label string) (id string, ok bool, err error) {
	err = f.Each(ctx, versions, func(v history.Version, labels []string) bool {
		id, ok = v.Info.VersionID, slices.Contains(labels, label)
		return !ok
	})
	return id, ok, err
}

// Names leases the names of keys; *change.Session has it.
type Names interface {
	Locked(ctx context.Context, key string, do func(l *file.Locked) error) error
}

// A Labeler changes labels, each under the lease of its key.
type Labeler struct {
	Names   Names
	Objects *store.Client
}

// Set gives a version a label; one that it has is fine.
func (l Labeler) Set(ctx context.Context, key, version, label string) error {
	return l.change(ctx, key, version, func(labels []string) []string {
		if slices.Contains(labels, label) {
			return labels
		}
		return append(labels, label)
	})
}

// Remove takes a label from a version; one that it does not have is fine.
func (l Labeler) Remove(ctx context.Context, key, version, label string) error {
	return l.change(ctx, key, version, func(labels []string) []string {
		return slices.DeleteFunc(labels, func(l string) bool { return l == label })
	})
}

func (l Labeler) change(ctx context.Context, key, version string, change func([]string) []string) error {
	return l.Names.Locked(ctx, key, func(name *file.Locked) error {
		return name.Send(func(ctx context.Context, p store.Permit, _ func(int64)) error {
			return l.Objects.Label(ctx, p, key, version, change)
		})
	})
}
