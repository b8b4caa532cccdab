package history

import (
	"context"
	"fmt"

	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
)

// Find tells what ever had a name in a directory, as Names would, with at most two requests. It
// fails with store.ErrNotFound if there never was anything, and with the errors of the store.
func (h *History) Find(ctx context.Context, dir, name string) (Name, error) {
	n := Name{Name: name}
	key := dir + name
	if _, _, ok := tree.Child(dir, key); !ok {
		return n, store.ErrNotFound
	}
	first := func(prefix string) (string, error) {
		page, err := h.objects.ListVersions(ctx, store.VersionOptions{Prefix: prefix, Max: 1})
		if err != nil || len(page.Versions) == 0 {
			return "", err
		}
		return page.Versions[0].Info.Key, nil
	}
	// The key itself comes before all that begin with it.
	found, err := first(key)
	if err == nil && found != "" {
		n.File = found == key
		found, err = first(key + "/")
		n.Dir = found != ""
	}
	switch {
	case err != nil:
		return n, fmt.Errorf("looking for versions of %q: %w", key, err)
	case !n.File && !n.Dir:
		return n, store.ErrNotFound
	}
	return n, nil
}

// Info returns everything about one version of a key, which a listing does not.
func (h *History) Info(ctx context.Context, key, version string) (store.Info, error) {
	i, err := h.objects.Head(ctx, key, version)
	if err != nil {
		return i, fmt.Errorf("looking at version %s of %q: %w", version, key, err)
	}
	return i, nil
}
