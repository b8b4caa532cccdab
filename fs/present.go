package fs

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
)

// What protects a version (SEMANTICS, ".versions/"): the kernel judges by the attributes that the
// view has, and we judge each open of a version by what is under the names now.

// splitKey gives the directory of a key and the name in it.
func splitKey(key string) (dir, name string) {
	i := strings.LastIndexByte(strings.TrimSuffix(key, "/"), '/') + 1
	return key[:i], strings.TrimSuffix(key[i:], "/")
}

// presentDir gives the attributes of a directory as it is now; of one that is not there those of
// its last marker. If it never had one, only the owner of what has none may look into it.
func (f *front) presentDir(ctx context.Context, key string) (file.Attr, error) {
	if key == f.tree.Root() {
		return f.bareDir(), nil
	}
	dir, name := splitKey(key)
	e, err := f.findIn(ctx, dir, name)
	switch {
	case err == nil && e.dir():
		return e.attr, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return file.Attr{}, err
	}
	a, had, err := f.lastAttr(ctx, key)
	if err == nil && !had {
		a = f.bareDir()
		a.Mode = unix.S_IFDIR | 0o700
	}
	return a, err
}

// presentFile gives the attributes of a file as it is now; of one that is not there those of its
// last version. found is false if it has none.
func (f *front) presentFile(ctx context.Context, key string) (a file.Attr, found bool, err error) {
	dir, name := splitKey(key)
	e, err := f.findIn(ctx, dir, name)
	switch {
	case err == nil && e.key == key && !e.dir():
		return e.attr, true, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return a, false, err
	}
	// It may be there all the same, hidden by a directory of its name. Its last version tells.
	f.lists.forget(key) // not as of a moment ago: this decides
	return f.lastAttr(ctx, key)
}

// lastAttr gives the attributes of the last version of a key that is no deletion. found is false
// if there is none.
func (f *front) lastAttr(ctx context.Context, key string) (a file.Attr, found bool, err error) {
	versions, err := f.versions(ctx, key)
	if err != nil {
		return a, false, err
	}
	if last := f.lists.last(key, versions); last != nil {
		return *last, true, nil
	}
	for i := len(versions) - 1; i >= 0; i-- {
		if versions[i].Deleted {
			continue
		}
		info, err := f.history.Info(ctx, key, versions[i].Info.VersionID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue // it was removed for good since it was listed
		case err != nil:
			return a, false, err
		}
		a = file.AttrOf(info, f.defaults)
		f.lists.putLast(key, versions, a)
		return a, true, nil
	}
	return a, false, nil
}

// versions gives the versions of a key, those of a moment ago if they are still believed.
func (f *front) versions(ctx context.Context, key string) ([]history.Version, error) {
	if versions, ok := f.lists.get(key); ok {
		return versions, nil
	}
	began := time.Now()
	versions, err := f.history.Versions(ctx, key)
	if err != nil {
		return nil, err
	}
	f.lists.put(key, versions, f.ttl-time.Since(began))
	return versions, nil
}

// permit fails with errForbidden unless the caller may read the version by what is there now: it
// has to have the right to search all directories on the way, and to read the file. The kernel
// judges by the version's own mode.
func (v *versionNode) permit(ctx context.Context) error {
	who, err := v.f.credentials(callerOf(ctx))
	switch {
	case err != nil:
		return errors.Join(errForbidden, err)
	case who.all:
		return nil
	}
	for dir := v.dir; ; dir, _ = splitKey(dir) {
		a, err := v.f.presentDir(ctx, dir)
		if err != nil {
			return err
		}
		if !who.may(a, maySearch) {
			return errForbidden
		}
		if dir == v.f.tree.Root() {
			break
		}
	}
	a, found, err := v.f.presentFile(ctx, v.info.Key)
	if err != nil {
		return err
	}
	if a.Mode&file.ModeType == file.ModeSymlink && file.AttrOf(v.info, v.f.defaults).Mode&file.ModeType != file.ModeSymlink {
		// The mode of a symlink, which is always 0777, says nothing of the file that it replaced.
		a.Mode &^= 0o077
	}
	if !found || !who.may(a, mayRead) {
		return errForbidden
	}
	return nil
}
