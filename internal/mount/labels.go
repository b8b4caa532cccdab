package mount

import (
	"context"

	lfs "github.com/latchfs/latchfs/fs"
	"github.com/latchfs/latchfs/internal/label"
)

// dirLabels shows the kernel front the labels of directories.
type dirLabels struct{ label.Moments }

// All implements lfs.DirLabels.
func (l dirLabels) All(ctx context.Context, dir string) ([]lfs.DirLabel, error) {
	found, err := l.Of(ctx, dir)
	all := make([]lfs.DirLabel, len(found))
	for i, m := range found {
		all[i] = lfs.DirLabel{Name: m.Name, Time: m.Time}
	}
	return all, err
}

// Find implements lfs.DirLabels.
func (l dirLabels) Find(ctx context.Context, dir, name string) (lfs.DirLabel, bool, error) {
	m, ok, err := l.Moments.Find(ctx, dir, name)
	return lfs.DirLabel{Name: m.Name, Time: m.Time}, ok, err
}
