package history

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
)

// Objects is what a History asks of the object store; *store.Client has it.
type Objects interface {
	Head(ctx context.Context, key, version string) (store.Info, error)
	ListVersions(ctx context.Context, o store.VersionOptions) (store.VersionPage, error)
}

// A History is the versions of a bucket.
type History struct {
	objects Objects
}

// New returns the history of a bucket.
func New(o Objects) *History { return &History{o} }

// A Name is one that was in use in a directory at some time, or is.
type Name struct {
	Name string
	// File says that there are versions or deletions of an object with this name; Dir that
	// there are some of a marker or of anything below a directory with it.
	File, Dir bool
}

// Names returns what ever was in a directory, given by its key ("" or "a/b/"), sorted by
// name. Names that no path can have, and the program's own at the bucket's root, are left
// out. It fails with the errors of the store.
func (h *History) Names(ctx context.Context, dir string) ([]Name, error) {
	found := make(map[string]Name)
	note := func(key string) {
		name, isDir, ok := tree.Child(dir, key)
		if !ok {
			return
		}
		n := found[name]
		found[name] = Name{name, n.File || !isDir, n.Dir || isDir}
	}
	o := store.VersionOptions{Prefix: dir, Delimiter: "/"}
	err := h.pages(ctx, o, func(page store.VersionPage) bool {
		for _, v := range page.Versions {
			note(v.Info.Key)
		}
		for _, p := range page.Prefixes {
			note(p)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("listing what was in %q: %w", dir, err)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Name) int { return cmp.Compare(a.Name, b.Name) }), nil
}

// pages gives the pages of a listing of versions to use, as long as it wants more.
func (h *History) pages(ctx context.Context, o store.VersionOptions, use func(store.VersionPage) (more bool)) error {
	for {
		page, err := h.objects.ListVersions(ctx, o)
		if err != nil {
			return err
		}
		if !use(page) || page.NextKey == "" {
			return nil
		}
		o.KeyMarker, o.VersionMarker = page.NextKey, page.NextVersion
	}
}
