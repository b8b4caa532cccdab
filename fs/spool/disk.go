package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/procfs"
)

// FS is the part of a file system that the spool uses. Tests put one in its place that
// fails or crashes at a chosen step.
type FS interface {
	// Mkdir makes a directory; one that exists is an error.
	Mkdir(name string) error
	// Create makes a file for reading and writing; one that exists is an error.
	Create(name string) (DiskFile, error)
	// Open opens a file for reading and writing.
	Open(name string) (DiskFile, error)
	// ReadDir returns the names in a directory in order.
	ReadDir(name string) ([]string, error)
	Rename(from, to string) error
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// SyncDir makes the entries of a directory survive a power cut.
	SyncDir(name string) error
	// Boot names the time since the machine was started, "" if that is not known: what was
	// written in it is there, in the order in which it was written.
	Boot() string
}

// A DiskFile is one open file of an FS.
type DiskFile interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// ModTime is when something was written last, by the clock of this host.
	ModTime() (time.Time, error)
	Truncate(size int64) error
	// Reserve takes the room on the disk that the file needs up to end, so that writing there
	// does not fail for lack of it; a Truncate gives it back. A disk that cannot do that
	// does nothing.
	Reserve(end int64) error
	// Sync makes everything written survive a power cut.
	Sync() error
}

// osFS is the disk.
type osFS struct{}

type osFile struct{ *os.File }

func (osFS) Mkdir(name string) error { return os.Mkdir(name, 0o700) }

func (osFS) Create(name string) (DiskFile, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Open(name string) (DiskFile, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) ReadDir(name string) ([]string, error) {
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(name string) error     { return os.Remove(name) }

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (osFS) Boot() string {
	id, err := procfs.Default.BootID()
	if err != nil {
		return ""
	}
	return id
}

func (f osFile) ModTime() (time.Time, error) {
	st, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return st.ModTime(), nil
}

func (f osFile) Size() (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

func (f osFile) Reserve(end int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, end)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reserving disk space: %w", err)
	}
	return nil
}

// diskError tells the errors of a disk that is full from those of one that refuses. EDQUOT is a
// full quota.
func diskError(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrNoSpace), errors.Is(err, ErrDisk):
		return err
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return errors.Join(ErrNoSpace, err)
	}
	return fmt.Errorf("%w: %w", ErrDisk, err)
}
