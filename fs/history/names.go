package history

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

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
		name, _, isDir := strings.Cut(key[len(dir):], "/")
		if !nameable(name) || reserved(dir+name) {
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

// nameable tells whether a path can have the name as a component: Linux takes up to 255
// bytes.
func nameable(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 &&
		!strings.Contains(name, "\x00") && utf8.ValidString(name)
}

// reserved tells whether the key is the program's own.
func reserved(key string) bool { return key == ".latchfs" || strings.HasPrefix(key, ".latchfs/") }

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
		o.KeyMarker, o.VersionMarker = page.NextKey, page.NextVersionMark
	}
}
