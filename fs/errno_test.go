package fs

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// The errnos of SEMANTICS, for errors as they come up: wrapped, and with a cause inside.
func TestErrno(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want syscall.Errno
	}{
		{nil, 0},
		{&lockmgr.HeldError{Key: "a", Host: "b"}, unix.EBUSY},
		{&file.ConflictError{Key: "a"}, unix.ESTALE},
		{fmt.Errorf("%w: %w", file.ErrStale, store.ErrConflict), unix.ESTALE},
		{store.ErrConflict, unix.ESTALE},
		{errors.Join(file.ErrUnsaved, errors.New("no sync")), unix.EIO},
		{fmt.Errorf("%w (%v)", file.ErrHalfRenamed, store.ErrConflict), unix.EBUSY},
		{file.ErrNoSpace, unix.ENOSPC},
		{fmt.Errorf("%w: %w", file.ErrDisk, unix.EROFS), unix.EIO},
		{store.ErrNotFound, unix.ENOENT},
		{store.ErrAccessDenied, unix.EACCES},
		{lockmgr.ErrAccessDenied, unix.EACCES},
		{lockmgr.ErrUnavailable, unix.EIO},
		{store.ErrUnavailable, unix.EIO},
		{store.ErrUnknownOutcome, unix.EIO},
		{store.ErrRetained, unix.EPERM},
		{store.ErrArchived, unix.EIO},
		{store.ErrTooLarge, unix.EFBIG},
		{store.ErrMetadataFull, unix.ENOSPC},
		{errHardLink, unix.EPERM},
		{errNode, unix.ENOTSUP},
		{errRenameDir, unix.EXDEV},
		{errDeletion, unix.ENODATA},
		{errNoXattr, unix.ENODATA},
		{errOwnXattr, unix.EPERM},
		{errXattr, unix.ENOTSUP},
		{history.ErrNoVersion, unix.ENOENT},
		{errors.Join(errForbidden, store.ErrNotFound), unix.EACCES},
		{&os.PathError{Op: "write", Path: "mount.json", Err: unix.ENOSPC}, unix.ENOSPC},
		{&os.PathError{Op: "write", Path: "mount.json", Err: unix.EDQUOT}, unix.ENOSPC},
		{errors.New("nobody foresaw this"), unix.EIO},
	} {
		err := tt.err
		if err != nil {
			err = fmt.Errorf("saving %q: %w", "a", err)
		}
		if got, _ := errno(err); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, got, tt.want)
		}
	}
}

// Whatever fails with EIO is one line of the log, with the operation, the key and the cause;
// everyday errors are none.
func TestFailuresAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	f := newFront(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	f.fail("lookup", "k", store.ErrNotFound)
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
	f.fail("close", "k", errors.New("cause"))
	got := log.String()
	for _, want := range []string{"level=ERROR", "op=close", "key=k", "errno=EIO", "err=cause"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 1 {
		t.Errorf("%d lines", n)
	}
}
