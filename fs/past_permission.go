package fs

import (
	"context"
	"errors"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/store"
)

// permitPath fails with errForbidden unless the caller may search the directory, and all on the way
// to it from where the view begins, as they were then. The kernel judges so only who comes that way.
func (d *pastDir) permitPath(ctx context.Context) error {
	who, err := d.f.credentials(callerOf(ctx))
	if err != nil {
		return errors.Join(errForbidden, err)
	}
	for ; d != nil; d = d.up {
		if !who.may(d.attr, maySearch) {
			return errForbidden
		}
	}
	return nil
}

// permit fails with errForbidden unless the caller may list the directory as it is now, and search all
// that it is in; what was removed since is judged as it was then, too. The kernel judges by what
// the directory was at the time of the view.
func (d *pastDir) permit(ctx context.Context) error {
	who, err := d.f.credentials(callerOf(ctx))
	switch {
	case err != nil:
		return errors.Join(errForbidden, err)
	case who.all:
		return nil
	case d.dir == d.f.tree.Root():
		if !who.may(d.f.bareDir(), mayRead) {
			return errForbidden
		}
		return nil
	}
	since := store.Info{LastModified: d.at}
	above, _ := splitKey(d.dir)
	if err := d.f.permitSearch(ctx, who, above, since); err != nil {
		return err
	}
	a, err := d.f.presentDir(ctx, d.dir)
	if err != nil {
		return err
	}
	return d.f.judge(ctx, d.dir, a, since, func(a file.Attr) bool { return who.may(a, mayRead) })
}
