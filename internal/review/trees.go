package review

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
)

// A Tree is a directory as it stood at a time.
type Tree struct {
	Objects Objects
	Dir     string    // its key: "" or with a slash at its end
	At      time.Time // the zero Time is now
}

// A Difference is a file of which two trees have different contents; one of them may have none.
type Difference struct {
	Path     string // below the directories; that of a directory's marker ends in a slash
	Old, New *store.Info
}

// Status is the letter that git has for it: A is new, D was removed, M has other content.
func (d Difference) Status() string {
	switch {
	case d.Old == nil:
		return "A"
	case d.New == nil:
		return "D"
	}
	return "M"
}

// Trees gives what differs, in the order of paths. Of two times of one directory all versions are
// listed once, of two directories once each. Files that differ in their attributes alone are the same, as far
// as ETag and size tell. It fails with the errors of the store.
func Trees(ctx context.Context, old, new Tree) ([]Difference, error) {
	if old.Objects == new.Objects && old.Dir == new.Dir {
		return sameDir(ctx, old, new)
	}
	before, err := old.files(ctx)
	if err != nil {
		return nil, err
	}
	after, err := new.files(ctx)
	if err != nil {
		return nil, err
	}
	var all []Difference
	for path, o := range before {
		all = appendDifference(all, path, o, after[path])
	}
	for path, n := range after {
		if before[path] == nil {
			all = appendDifference(all, path, nil, n)
		}
	}
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func sameDir(ctx context.Context, old, new Tree) (all []Difference, err error) {
	err = history.New(old.Objects).Each(ctx, old.Dir, func(key string, versions []history.Version) error {
		all = appendDifference(all, key[len(old.Dir):], old.current(versions), new.current(versions))
		return nil
	})
	return all, err
}

// files gives all files of a tree, by their paths.
func (t Tree) files(ctx context.Context) (map[string]*store.Info, error) {
	files := make(map[string]*store.Info)
	err := history.New(t.Objects).Each(ctx, t.Dir, func(key string, versions []history.Version) error {
		if i := t.current(versions); i != nil {
			files[key[len(t.Dir):]] = i
		}
		return nil
	})
	return files, err
}

// current is what a tree has of a key; nil if nothing.
func (t Tree) current(versions []history.Version) *store.Info {
	i := len(versions) - 1
	if !t.At.IsZero() {
		i = history.Current(versions, t.At)
	}
	if i < 0 || versions[i].Deleted {
		return nil
	}
	info := versions[i].Info
	return &info
}

func appendDifference(all []Difference, path string, old, new *store.Info) []Difference {
	same := old == nil && new == nil || old != nil && new != nil && old.ETag == new.ETag && old.Size == new.Size
	if same || path == "" { // the directory's own marker is no file in it
		return all
	}
	return append(all, Difference{path, old, new})
}
