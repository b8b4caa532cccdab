package fs

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// Errors of the front itself.
var (
	errHardLink  = errors.New("an object has one name: hard links are not supported")
	errNode      = errors.New("device nodes, sockets and pipes are not supported")
	errExchange  = errors.New("two names cannot be exchanged in one step")
	errRenameDir = errors.New("directories are not renamed, only their files: mv copies")
	errReadOnly  = errors.New("versions are read-only")
	errDeletion  = errors.New("a deletion has no content")
	errForbidden = errors.New("the caller may not read the file")
	errXattr     = errors.New("extended attributes cannot be set")
	errOwnXattr  = errors.New("what latchfs tells of a file cannot be set")
	errNoXattr   = errors.New("there is no such attribute")
	errHidden    = errors.New("no name in the mount shows that key: remove it with the tool that made it")
	errRootAttr  = errors.New("the mount's root has no object that could keep its mode and owner")
)

// A weight says how much a failure matters to whoever reads the log.
type weight uint8

const (
	silent weight = iota // part of everyday work
	told                 // somebody may want to know why
	bad                  // data could not be reached or saved
)

// errnos is the table of SEMANTICS: the first row whose error matches gives the errno.
var errnos = []struct {
	err    error
	errno  syscall.Errno
	weight weight
}{
	{fs.ErrExist, unix.EEXIST, silent},
	{file.ErrStale, unix.ESTALE, silent},
	{file.ErrHalfRenamed, unix.EBUSY, told},
	{file.ErrConflicted, unix.ESTALE, silent}, // logged where the conflict file is written
	{reader.ErrChanged, unix.ESTALE, told},
	{file.ErrUnsaved, unix.EIO, bad},
	{file.ErrNoSpace, unix.ENOSPC, bad},
	{file.ErrDisk, unix.EIO, bad}, // whatever the disk says: EROFS would speak of the mount
	{file.ErrBadHandle, unix.EBADF, silent},
	{errHidden, unix.ENOTEMPTY, told},
	{file.ErrNotEmpty, unix.ENOTEMPTY, silent},
	{file.ErrIsDir, unix.EISDIR, silent},
	{file.ErrNotDir, unix.ENOTDIR, silent},
	{file.ErrClosed, unix.EIO, told},
	{file.ErrInvalid, unix.EINVAL, silent},
	{tree.ErrNameTooLong, unix.ENAMETOOLONG, silent},
	{tree.ErrNotUTF8, unix.EILSEQ, told},
	{tree.ErrReserved, unix.ENOENT, silent},
	{errHardLink, unix.EPERM, told},
	{errNode, unix.ENOTSUP, told},
	{errExchange, unix.EINVAL, told},
	{errRenameDir, unix.EXDEV, told},
	{errReadOnly, unix.EROFS, told},
	{errDeletion, unix.ENODATA, silent},
	{errForbidden, unix.EACCES, silent},
	{errXattr, unix.ENOTSUP, silent}, // cp -p tries each file
	{errOwnXattr, unix.EPERM, told},
	{errNoXattr, unix.ENODATA, silent},
	{errRootAttr, unix.EPERM, told},
	{lockmgr.ErrAccessDenied, unix.EACCES, bad},
	{lockmgr.ErrUnavailable, unix.EIO, bad},
	{lockmgr.ErrUnbound, unix.EIO, bad},
	{store.ErrUnknownOutcome, unix.EIO, bad},
	{store.ErrNotFound, unix.ENOENT, silent},
	{history.ErrNoVersion, unix.ENOENT, silent},
	{store.ErrConflict, unix.ESTALE, silent},
	{store.ErrAccessDenied, unix.EACCES, bad},
	{store.ErrRetained, unix.EPERM, told},
	{store.ErrArchived, unix.EIO, bad},
	{store.ErrTooLarge, unix.EFBIG, told},
	{store.ErrMetadataFull, unix.ENOSPC, told},
	{store.ErrUnavailable, unix.EIO, bad},
	{context.Canceled, unix.EINTR, silent},
	{unix.EROFS, unix.EROFS, silent},
	{unix.ENOSPC, unix.ENOSPC, bad}, // of the state directory, outside the spool
	{unix.EDQUOT, unix.ENOSPC, bad},
}

// errno is the one translation from errors to errnos. A cause that nobody foresaw is EIO.
func errno(err error) (syscall.Errno, weight) {
	if err == nil {
		return 0, silent
	}
	if _, held := errors.AsType[*lockmgr.HeldError](err); held {
		return unix.EBUSY, told
	}
	for _, e := range errnos {
		if errors.Is(err, e.err) {
			return e.errno, e.weight
		}
	}
	return unix.EIO, bad
}

// fail gives the errno of a failed operation and logs it, here alone.
func (f *front) fail(op, key string, err error) syscall.Errno {
	n, w := errno(err)
	f.note(op, key, n, w, err)
	return n
}
