package file

import (
	"errors"
	"fmt"

	"github.com/latchfs/latchfs/fs/spool"
)

// Errors that the kernel front turns into an errno. Errors of store and lockmgr
// (store.ErrNotFound, *lockmgr.HeldError, ...) come through wrapped.
var (
	// ErrStale: the name holds another version than the one the caller has looked up.
	// Linux looks the name up again and repeats the call, unseen by the program.
	ErrStale = errors.New("the name holds another version than was looked up")
	// ErrHalfRenamed: a file has its new name beside the old one, since somebody who takes no lease
	// wrote under one of them meanwhile. It is not to be repeated unasked: what was written on the copy
	// would be replaced.
	ErrHalfRenamed = errors.New("changed by somebody else while it was renamed: both names are there")
	// ErrConflicted: somebody else's version is under the name; ours is kept beside it.
	ErrConflicted = errors.New("changed by somebody else, ours is kept in a conflict file")
	// ErrUnsaved: the outcome is not known yet; the data is in the spool, synced to disk,
	// and the work goes on in the background.
	ErrUnsaved = errors.New("not in the bucket yet, kept in the spool")
	// ErrNoSpace: the local disk or the spool limit is full; nothing was accepted.
	ErrNoSpace = spool.ErrNoSpace
	// ErrDisk: the state directory cannot be written; nothing was accepted.
	ErrDisk = spool.ErrDisk
	// ErrBadHandle: the handle was released, or is not open for this.
	ErrBadHandle = errors.New("bad file handle")
	// ErrNotEmpty: the directory has entries.
	ErrNotEmpty = errors.New("directory not empty")
	// ErrIsDir: the name is a directory.
	ErrIsDir = errors.New("is a directory")
	// ErrNotDir: the name, or what is above it, is a file.
	ErrNotDir = errors.New("not a directory")
	// ErrClosed: the table is shutting down.
	ErrClosed = errors.New("the mount is shutting down")
	// ErrInvalid: an argument makes no sense, such as a negative size.
	ErrInvalid = errors.New("invalid argument")
)

// A ConflictError names the conflict file that holds what could not be saved under Key.
// It matches ErrConflicted.
type ConflictError struct {
	Key  string
	Kept string // key of the conflict file; "" if there was nothing worth keeping
	// Over, if set, is the version of somebody else that ours was saved on top of, unseen.
	// It is in the history of the name.
	Over string
}

func (e *ConflictError) Error() string {
	switch {
	case e.Over != "" && e.Kept == "":
		return fmt.Sprintf("%q was saved over version %s of somebody else, which is in its history", e.Key, e.Over)
	case e.Over != "":
		return fmt.Sprintf("%q was saved over version %s of somebody else, which is in its history; what came later is kept as %q", e.Key, e.Over, e.Kept)
	case e.Kept == "":
		return fmt.Sprintf("%q was changed by somebody else; ours was empty", e.Key)
	}
	return fmt.Sprintf("%q was changed by somebody else; ours is kept as %q", e.Key, e.Kept)
}

// Is makes errors.Is(err, ErrConflicted) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflicted }

// A NotEmptyError is ErrNotEmpty with one of the keys that are in the directory.
type NotEmptyError struct {
	Dir string // key of the directory
	Key string // Dir itself: the marker has bytes, which another tool has kept there
}

func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("directory %q is not empty: the bucket has %q", e.Dir, e.Key)
}

// Unwrap makes it match ErrNotEmpty.
func (e *NotEmptyError) Unwrap() error { return ErrNotEmpty }
