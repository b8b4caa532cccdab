package fs

import (
	"cmp"
	"context"
	"fmt"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/store"
)

// What latchfs tells of a file and of a version of it, by the name after "user.latchfs.". It is in no
// listing of attributes: cp -a and rsync -X would take it along, and fail to set it.
const (
	xattrVersion = "version-id"    // of a file: of the version in the bucket, without what is not saved yet
	xattrETag    = "etag"          // without quotes; not of a deletion
	xattrClass   = "storage-class" // not of a deletion
	xattrHost    = "host"          // that wrote the version, if it said so
	xattrLock    = "lock"          // of a file: who has its lock, by lockmgr.Holder.String
)

// tells gives a word's value for a file. It fails with errNoXattr if there is none.
func (n *fileNode) tells(ctx context.Context, word string) (string, error) {
	switch word {
	case xattrLock:
		return n.f.lockedBy(ctx, n.keyNow())
	case xattrVersion, xattrETag, xattrClass, xattrHost:
	default:
		return "", errNoXattr
	}
	a, _, err := n.stat(ctx)
	switch {
	case err != nil:
		return "", staleIfGone(err)
	case a.Base.Absent():
		return "", errNoXattr // it is not in the bucket yet
	case word == xattrETag, word == xattrVersion:
		return attributeOf(store.Info{ETag: a.Base.ETag, VersionID: a.Base.VersionID}, word)
	}
	i, err := n.f.history.Info(ctx, n.keyNow(), a.Base.VersionID)
	if err == nil && !i.Base().Same(a.Base) {
		err = fmt.Errorf("%w: it was replaced meanwhile", file.ErrStale)
	}
	if err != nil {
		return "", staleIfGone(err)
	}
	return attributeOf(i, word)
}

// tells gives a word's value for a version, to whoever may read it.
func (v *versionNode) tells(ctx context.Context, word string) (string, error) {
	if err := v.permit(ctx); err != nil {
		return "", err
	}
	if v.mark && word != xattrVersion {
		return "", errNoXattr
	}
	return attributeOf(v.info, word)
}

// attributeOf gives what the properties of a version say.
func attributeOf(i store.Info, word string) (value string, err error) {
	switch word {
	case xattrVersion:
		value = i.VersionID
	case xattrETag:
		value = i.ETag
	case xattrClass:
		value = cmp.Or(i.Props.StorageClass, "STANDARD")
	case xattrHost:
		value = store.ReadCommit(i.Props.Meta).Host
	}
	if value == "" {
		err = errNoXattr
	}
	return value, err
}

// lockedBy tells who has the lock of a key.
func (f *front) lockedBy(ctx context.Context, key string) (string, error) {
	if f.holder == nil {
		return "", errNoXattr
	}
	ctx, cancel := context.WithTimeout(ctx, holderWait)
	defer cancel()
	h, err := f.holder(ctx, key)
	switch {
	case err != nil:
		return "", err
	case h.Host == "":
		return "", errNoXattr
	}
	return h.String(), nil
}
