package file

import (
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/spool"
)

// A diskLink is the disk as one session of a sweep reaches it.
type diskLink struct {
	*disk
	s *session
}

// change does something to the disk, or not.
func (d diskLink) change(verb, name string, apply func() error) error {
	switch d.s.meets("disk " + verb + " " + path.Base(name)) {
	case dropped:
		return errDead
	case lost:
		return unix.EIO
	case full:
		return unix.ENOSPC
	case unanswered:
		if err := apply(); err != nil {
			return err
		}
		return unix.EIO
	}
	return apply()
}

// look reads something from the disk, or not.
func (d diskLink) look(verb, name string, apply func() error) error {
	if d.s.meets("disk "+verb+" "+path.Base(name)) == lost {
		return unix.EIO
	}
	return apply()
}

func (d diskLink) Mkdir(name string) error {
	return d.change("mkdir", name, func() error { return d.disk.Mkdir(name) })
}

func (d diskLink) Create(name string) (f spool.DiskFile, err error) {
	err = d.change("create", name, func() (err error) { f, err = d.disk.Create(name); return err })
	if err != nil {
		return nil, err
	}
	return &diskLinkFile{DiskFile: f, d: d, name: name}, nil
}

func (d diskLink) Open(name string) (f spool.DiskFile, err error) {
	err = d.look("open", name, func() (err error) { f, err = d.disk.Open(name); return err })
	if err != nil {
		return nil, err
	}
	return &diskLinkFile{DiskFile: f, d: d, name: name}, nil
}

func (d diskLink) ReadDir(name string) (names []string, err error) {
	err = d.look("readdir", name, func() (err error) { names, err = d.disk.ReadDir(name); return err })
	return names, err
}

func (d diskLink) Rename(from, to string) error {
	return d.change("rename", from, func() error { return d.disk.Rename(from, to) })
}

func (d diskLink) Remove(name string) error {
	return d.change("remove", name, func() error { return d.disk.Remove(name) })
}

func (d diskLink) SyncDir(name string) error {
	return d.change("syncdir", name, func() error { return d.disk.SyncDir(name) })
}

type diskLinkFile struct {
	spool.DiskFile
	d        diskLink
	name     string
	reserved int64 // up to here the disk has room
}

func (f *diskLinkFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.d.look("read", f.name, func() (err error) { n, err = f.DiskFile.ReadAt(p, off); return err })
	return n, err
}

// WriteAt that fails has written half. A full disk does not fail what room was reserved for.
func (f *diskLinkFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.d.change("write", f.name, func() (err error) { n, err = f.DiskFile.WriteAt(p, off); return err })
	switch {
	case err == unix.ENOSPC && off+int64(len(p)) <= f.reserved:
		return f.DiskFile.WriteAt(p, off)
	case err == unix.EIO || err == unix.ENOSPC:
		n, _ = f.DiskFile.WriteAt(p[:len(p)/2], off)
	}
	return n, err
}

func (f *diskLinkFile) Size() (n int64, err error) {
	err = f.d.look("stat", f.name, func() (err error) { n, err = f.DiskFile.Size(); return err })
	return n, err
}

func (f *diskLinkFile) ModTime() (t time.Time, err error) {
	err = f.d.look("stat", f.name, func() (err error) { t, err = f.DiskFile.ModTime(); return err })
	return t, err
}

func (f *diskLinkFile) Truncate(size int64) error {
	f.reserved = 0
	return f.d.change("truncate", f.name, func() error { return f.DiskFile.Truncate(size) })
}

func (f *diskLinkFile) Reserve(end int64) error {
	err := f.d.change("reserve", f.name, func() error { return f.DiskFile.Reserve(end) })
	if err == nil {
		f.reserved = end
	}
	return err
}

func (f *diskLinkFile) Sync() error {
	return f.d.change("sync", f.name, f.DiskFile.Sync)
}
