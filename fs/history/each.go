package history

import (
	"context"
	"fmt"

	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
)

// Each gives all keys that begin with prefix, which is "" or ends in a slash, in the order of their
// bytes, each with its versions and deletions, oldest first. Keys that no path can name, and the
// program's own, are left out. Use may change the slice, which is not used again. Each ends with the
// error that use returns, and with those of the store; it asks for one page for each 1,000 versions, and
// keeps no more than the versions of one key.
func (h *History) Each(ctx context.Context, prefix string, use func(key string, versions []Version) error) error {
	var newestFirst []Version
	hand := func() error {
		if len(newestFirst) == 0 {
			return nil
		}
		versions := newestFirst
		newestFirst = nil
		order(versions)
		return use(versions[0].Info.Key, versions)
	}
	var failed error
	err := h.pages(ctx, store.VersionOptions{Prefix: prefix}, func(page store.VersionPage) bool {
		for _, v := range page.Versions {
			if len(newestFirst) > 0 && newestFirst[0].Info.Key != v.Info.Key {
				if failed = hand(); failed != nil {
					return false
				}
			}
			if tree.Nameable("", v.Info.Key) {
				newestFirst = append(newestFirst, Version{Info: v.Info, Deleted: v.Deleted})
			}
		}
		return true
	})
	switch {
	case failed != nil:
		return failed
	case err != nil:
		return fmt.Errorf("listing the versions below %q: %w", prefix, err)
	}
	return hand()
}
