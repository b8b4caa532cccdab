package history

import (
	"context"
	"fmt"
	"strings"

	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
)

// Find tells what ever had a name in a directory, as Names would, but whether there was a directory
// only where there never was a file, or where that is known without another request (WasDir tells
// else). Of a file it gives the beginning of the list of its versions. It fails with store.ErrNotFound
// if there never was anything, and with the errors of the store.
func (h *History) Find(ctx context.Context, dir, name string) (n Name, b Beginning, err error) {
	n.Name = name
	key := dir + name
	if _, _, ok := tree.Child(dir, key); !ok {
		return n, b, store.ErrNotFound
	}
	page, err := h.objects.ListVersions(ctx, store.VersionOptions{Prefix: key})
	if err != nil {
		return n, b, fmt.Errorf("looking for versions of %q: %w", key, err)
	}
	b = begin(key, page)
	n.File = len(b.versions) > 0
	for _, v := range page.Versions {
		n.Dir = n.Dir || strings.HasPrefix(v.Info.Key, key+"/")
	}
	if !n.File && !n.Dir && page.NextKey != "" {
		n.Dir, err = h.WasDir(ctx, key+"/")
	}
	if err == nil && !n.File && !n.Dir {
		err = store.ErrNotFound
	}
	return n, b, err
}

// WasDir tells whether there ever was anything below a directory, or its marker. It fails with the
// errors of the store.
func (h *History) WasDir(ctx context.Context, dir string) (bool, error) {
	page, err := h.objects.ListVersions(ctx, store.VersionOptions{Prefix: dir, Max: 1})
	if err != nil {
		return false, fmt.Errorf("looking for versions below %q: %w", dir, err)
	}
	return len(page.Versions) > 0, nil
}

// Info returns everything about one version of a key, which a listing does not.
func (h *History) Info(ctx context.Context, key, version string) (store.Info, error) {
	i, err := h.objects.Head(ctx, key, version)
	if err != nil {
		return i, fmt.Errorf("looking at version %s of %q: %w", version, key, err)
	}
	return i, nil
}
