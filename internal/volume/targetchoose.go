package volume

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/latchfs/latchfs/store"
)

// Choose decides what the target names, where its text can be read in two ways: a name that exists as
// it is written wins, also one with an "@" in it. It sends nothing where there is nothing to decide.
func (v *Volume) Choose(ctx context.Context, t Target) (Target, error) {
	s := chooser{v.Bucket}
	if w := t.written; w != nil {
		t.written = nil
		asWritten, err := s.meant(ctx, w.key, t.Key)
		if err != nil {
			return t, v.Explain(err)
		}
		if asWritten {
			t.Key, t.Rev, t.Zone = w.key, w.rev, w.zone
		}
	}
	if t.Mountpoint == "" {
		return t, nil
	}
	key, err := s.shown(ctx, t.Key)
	if err != nil {
		return t, v.Explain(err)
	}
	t.Key = key
	return t, nil
}

// objects is what a chooser asks of a bucket.
type objects interface {
	Head(ctx context.Context, key, version string) (store.Info, error)
	List(ctx context.Context, o store.ListOptions) (store.ListPage, error)
	ListVersions(ctx context.Context, o store.VersionOptions) (store.VersionPage, error)
}

type chooser struct{ objects }

// meant tells whether the key as it is written is meant, and not a version of the other one: if it is
// there, or was and the other one never.
func (s chooser) meant(ctx context.Context, written, other string) (bool, error) {
	if is, err := s.is(ctx, written); is || err != nil {
		return is, err
	}
	if was, err := s.was(ctx, written); !was || err != nil {
		return false, err
	}
	was, err := s.was(ctx, other)
	return !was, err
}

// shownSuffix is what a mount shows at the end of a file's name that is a directory's, too (fs/tree).
const shownSuffix = "~file"

// shown gives the key of what a mount shows under the name of key.
func (s chooser) shown(ctx context.Context, key string) (string, error) {
	object, ok := strings.CutSuffix(key, shownSuffix)
	if !ok || object == "" || strings.HasSuffix(object, "/") {
		return key, nil
	}
	for _, c := range []struct {
		have func(context.Context, string) (bool, error)
		key  string
		want bool
	}{{s.was, key, false}, {s.is, object + "/", true}, {s.was, object, true}} {
		if have, err := c.have(ctx, c.key); have != c.want || err != nil {
			return key, err
		}
	}
	return object, nil
}

// is tells whether there is a file or directory.
func (s chooser) is(ctx context.Context, key string) (bool, error) {
	if key == "" {
		return true, nil
	}
	if !strings.HasSuffix(key, "/") {
		_, err := s.Head(ctx, key, "")
		if err == nil || !errors.Is(err, store.ErrNotFound) {
			return err == nil, wrap("looking at", key, err)
		}
		key += "/"
	}
	page, err := s.List(ctx, store.ListOptions{Prefix: key, Max: 1})
	return len(page.Objects) > 0, wrap("listing", key, err)
}

// was tells whether there is or was a file or directory.
func (s chooser) was(ctx context.Context, key string) (bool, error) {
	page, err := s.ListVersions(ctx, store.VersionOptions{Prefix: key, Max: 1})
	if err != nil || len(page.Versions) == 0 {
		return false, wrap("listing the versions of", key, err)
	}
	// The key itself comes before all that begin with it.
	if first := page.Versions[0].Info.Key; first == key || strings.HasPrefix(first, strings.TrimSuffix(key, "/")+"/") {
		return true, nil
	}
	if strings.HasSuffix(key, "/") {
		return false, nil
	}
	page, err = s.ListVersions(ctx, store.VersionOptions{Prefix: key + "/", Max: 1})
	return len(page.Versions) > 0, wrap("listing the versions of", key, err)
}

func wrap(doing, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w", doing, key, err)
}
