package fs

import (
	"context"
	"errors"
	"slices"
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
	f.Versions.Forget(key) // not as of a moment ago: this decides
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
	a, found, err = f.lastOf(ctx, key, versions)
	if found {
		f.lists.putLast(key, versions, a)
	}
	return a, found, err
}

// lastOf is lastAttr of some versions of the key, oldest first.
func (f *front) lastOf(ctx context.Context, key string, versions []history.Version) (a file.Attr, found bool, err error) {
	for _, v := range slices.Backward(versions) {
		if v.Deleted {
			continue
		}
		info, err := f.history.Info(ctx, key, v.Info.VersionID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue // it was removed for good since it was listed
		case err != nil:
			return a, false, err
		}
		return file.AttrOf(info, f.defaults), true, nil
	}
	return a, false, nil
}

// whenRemoved gives the attributes that a key had when it was removed for the first time after a
// version was made. The order of versions of other keys is not known within a second: there it gives
// those of each removal in the second of the version, too.
func (f *front) whenRemoved(ctx context.Context, key string, made store.Info) (attrs []file.Attr, err error) {
	versions, err := f.versions(ctx, key)
	if err != nil {
		return nil, err
	}
	own := -1
	if key == made.Key {
		own = slices.IndexFunc(versions, func(v history.Version) bool { return v.Info.VersionID == made.VersionID })
	}
	for i, v := range versions {
		if !v.Deleted || i < own || v.Time.Before(made.LastModified) {
			continue
		}
		a, found, err := f.lastOf(ctx, key, versions[:i])
		if err != nil {
			return nil, err
		}
		if found {
			attrs = append(attrs, a)
		}
		if own >= 0 || v.Time.After(made.LastModified) {
			break
		}
	}
	return attrs, nil
}

// versions gives the versions of a key, those of a moment ago if they are still believed.
func (f *front) versions(ctx context.Context, key string) ([]history.Version, error) {
	if versions, ok := f.lists.get(key, f.ttl); ok {
		return versions, nil
	}
	return f.newVersions(ctx, key)
}

// newVersions lists the versions of a key. It goes on from what a look-up has just read of them.
func (f *front) newVersions(ctx context.Context, key string) ([]history.Version, error) {
	read, began, ok := f.begun.take(key, f.ttl)
	list := func() ([]history.Version, error) { return f.history.Rest(ctx, read) }
	if !ok {
		began = time.Now()
		list = func() ([]history.Version, error) { return f.history.Versions(ctx, key) }
	}
	versions, err := list()
	if err != nil {
		return nil, err
	}
	f.lists.put(key, versions, began)
	return versions, nil
}

// permit is permitVersion of the version.
func (v *versionNode) permit(ctx context.Context) error { return v.f.permitVersion(ctx, v.dir, v.info) }

// permitVersion fails with errForbidden unless the caller may read a version of a file in a directory:
// he has to have the right to search all directories on the way, and to read the file. Both are judged
// by what is there now. The kernel judges by the version's own mode.
//
// What has been removed since the version was made is judged as it was then, too. Else whoever makes a
// name again, in a directory that is open to all, could read what its owner had kept from him.
func (f *front) permitVersion(ctx context.Context, dir string, made store.Info) error {
	who, err := f.credentials(callerOf(ctx))
	switch {
	case err != nil:
		return errors.Join(errForbidden, err)
	case who.all:
		return nil
	}
	if err := f.permitSearch(ctx, who, dir, made); err != nil {
		return err
	}
	a, found, err := f.presentFile(ctx, made.Key)
	switch {
	case err != nil:
		return err
	case !found:
		return errForbidden
	}
	link := file.AttrOf(made, f.defaults).Mode&file.ModeType == file.ModeSymlink
	return f.judge(ctx, made.Key, a, made, func(a file.Attr) bool {
		if a.Mode&file.ModeType == file.ModeSymlink && !link {
			// The mode of a symlink, which is always 0777, says nothing of the file that it replaced.
			a.Mode &^= 0o077
		}
		return who.may(a, mayRead)
	})
}

// permitSearch fails with errForbidden unless the caller may search a directory and all those that it
// is in, as they are now and as they were when they were removed after a version was made.
func (f *front) permitSearch(ctx context.Context, who credentials, dir string, made store.Info) error {
	for ; dir != f.tree.Root(); dir, _ = splitKey(dir) {
		a, err := f.presentDir(ctx, dir)
		if err != nil {
			return err
		}
		if err := f.judge(ctx, dir, a, made, func(a file.Attr) bool { return who.may(a, maySearch) }); err != nil {
			return err
		}
	}
	if !who.may(f.bareDir(), maySearch) {
		return errForbidden // the root
	}
	return nil
}

// judge fails with errForbidden unless the present attributes of a key, and those that it had when it
// was removed after a version was made, give the right.
func (f *front) judge(ctx context.Context, key string, present file.Attr, made store.Info, may func(file.Attr) bool) error {
	if !may(present) {
		return errForbidden
	}
	removed, err := f.whenRemoved(ctx, key, made)
	if err != nil {
		return err
	}
	for _, a := range removed {
		if !may(a) {
			return errForbidden
		}
	}
	return nil
}
