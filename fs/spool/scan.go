package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A Found is a dirty file that an earlier process left in its spool.
type Found struct {
	Key string
	// Base is what the file grew from; where nothing was written it shows Base.
	Base     store.Base
	BaseSize int64
	// Props are those that the file had last: of the last seal or change of attributes, or of
	// the base.
	Props store.Props
	// Seals are what close and fsync asked to save and nobody knows to be in the bucket, in
	// the order in which they have to land.
	Seals []*FoundSeal
	// Tail is the file as it was last, if its bytes were changed after the last seal.
	Tail *Snapshot
	// Attrs: attributes were changed after the last seal, so that Props are in none.
	Attrs bool
	// Created is when the journal was begun, and Written when bytes were accepted last, by the
	// clock of this host; Written is zero if none were.
	Created, Written time.Time
	// Unlinked: the name was about to be deleted.
	Unlinked bool

	scan   *Scan
	name   string
	data   DiskFile
	end    int64         // of the part of the journal that was replayed
	landed store.WriteID // the last seal that did
}

// A Scan is what is left in the spool of a dead process.
type Scan struct {
	Files []*Found
	// Ops are mutations without data whose outcome nobody recorded, and uploads that nobody
	// completed or aborted.
	Ops []Op
	// Bad are directories that cannot be read and were set aside, with the reason; and those that
	// the disk did not give, which stay under their names.
	Bad map[string]error
	// Unread is why the disk did not give something that another try may find; nil if it gave all.
	Unread error

	dir string
	fs  FS
}

// ScanDir reads the spool in dir, whose process is dead. Directories without anything that
// is still needed are removed, unreadable ones are renamed to bad-*. A spool that was
// never begun is empty.
func ScanDir(dir string, fsys FS) (*Scan, error) {
	if fsys == nil {
		fsys = osFS{}
	}
	s := &Scan{dir: dir, fs: fsys, Bad: make(map[string]error)}
	names, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("scanning the spool: %w", err)
	}
	got, err := readFormat(fsys, filepath.Join(dir, formatName))
	if errors.Is(err, fs.ErrNotExist) || err == nil && got == "" {
		// The format is written before anything else, but need not be on the disk after a
		// power cut: the journals carry it too.
	} else if err != nil {
		return nil, fmt.Errorf("scanning the spool: %w", err)
	} else if err := formatError(got, oldestFormat); err != nil {
		return nil, fmt.Errorf("scanning the spool %s: %w", dir, err)
	}
	if s.Ops, err = readOps(fsys, filepath.Join(dir, opsName)); err != nil {
		s.bad(opsName, err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, badPrefix) {
			s.Bad[n] = errors.New("set aside before")
		}
		if _, ok := fileNumber(n); !ok {
			continue
		}
		if err := s.file(n); err != nil {
			s.bad(n, unreadError{err})
		}
	}
	return s, nil
}

// bad notes what could not be read.
func (s *Scan) bad(name string, err error) {
	s.Bad[name] = err
	if ofDisk(err) {
		s.Unread = errors.Join(s.Unread, fmt.Errorf("scanning the spool file %s: %w", name, err))
	}
}

// An unreadError is one of the disk, not of what is on it: it may be gone at the next try.
type unreadError struct{ error }

func (e unreadError) Unwrap() error { return e.error }

func ofDisk(err error) bool {
	_, disk := errors.AsType[unreadError](err)
	return disk
}

// Scan is ScanDir on the file system of the spool.
func (s *Spool) Scan(dir string) (*Scan, error) { return ScanDir(dir, s.fs) }

// Close closes the files of the scan and leaves them on the disk.
func (s *Scan) Close() {
	for _, f := range s.Files {
		closeAll(f.data)
	}
}

// Unanswered tells whether a request for the key may still land. An upload alone cannot:
// what completes it is recorded too. Where something could not be read, any request may.
func (s *Scan) Unanswered(key string) bool {
	if len(s.Bad) > 0 {
		return true
	}
	for _, op := range s.Ops {
		if op.Key == key && op.Kind != OpUpload {
			return true
		}
	}
	for _, f := range s.Files {
		for _, seal := range f.Seals {
			if seal.Attempted && (f.Key == key || seal.sentTo == key) {
				return true
			}
		}
	}
	return false
}

// file reads one directory. Its error is one of the disk; what the directory holds is
// never an error.
func (s *Scan) file(name string) error {
	dir := filepath.Join(s.dir, name)
	journal, err := openRecords(s.fs, filepath.Join(dir, journalName))
	if err != nil {
		return err
	}
	defer journal.close()
	data, err := s.fs.Open(filepath.Join(dir, dataName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f := &Found{scan: s, name: name, data: data}
	var size int64
	if data != nil {
		if size, err = data.Size(); err == nil && size > 0 {
			f.Written, err = data.ModTime()
		}
		if err != nil {
			closeAll(data)
			return err
		}
	}
	keep, err := f.replay(journal, size)
	if err != nil && !ofDisk(err) && size == 0 {
		// After a crash while it was made or removed: no byte was accepted.
		nothing, lookErr := journal.empty()
		switch {
		case lookErr != nil:
			err = lookErr
		case nothing:
			keep, err = false, nil
		}
	}
	switch {
	case ofDisk(err):
		closeAll(data)
		return err
	case err != nil:
		closeAll(data)
		bad := badPrefix + name
		s.Bad[bad] = err
		return s.fs.Rename(dir, filepath.Join(s.dir, bad))
	}
	if !keep {
		return f.Drop()
	}
	s.Files = append(s.Files, f)
	return nil
}

// Name tells what was found from everything else that was ever in the spool: it is that of its
// directory.
func (f *Found) Name() string { return f.name }

// Drop removes what was found: it is in the bucket now.
func (f *Found) Drop() error {
	closeAll(f.data)
	dir := filepath.Join(f.scan.dir, f.name)
	if f.end > 0 {
		// Even if it cannot be noted: only a crash before all is removed would need it.
		_ = f.noteDropped(filepath.Join(dir, journalName))
	}
	if err := removeEntry(f.scan.fs, dir); err != nil {
		return fmt.Errorf("removing the spool file %s: %w", f.name, err)
	}
	return nil
}

// noteDropped notes that nothing is needed any more, so that a journal whose data is gone
// already does not look damaged.
func (f *Found) noteDropped(journal string) error {
	rec, err := encode(kindDropped, nil)
	if err != nil {
		return err
	}
	file, err := f.scan.fs.Open(journal)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt(rec, f.end)
	return err
}

// removeEntry removes the directory of a file, the journal after the data.
func removeEntry(fsys FS, dir string) error {
	for _, n := range []string{filepath.Join(dir, dataName), filepath.Join(dir, journalName), dir} {
		if err := fsys.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func unmarshal(p []byte, v any) error {
	if err := json.Unmarshal(p, v); err != nil {
		return fmt.Errorf("journal record: %w", err)
	}
	return nil
}

// sumAt is the checksum of n bytes of the data file at off.
func sumAt(r io.ReaderAt, off, n int64) (uint32, error) {
	h := crc32.New(castagnoli)
	m, err := io.Copy(h, io.NewSectionReader(r, off, n))
	if err != nil {
		return 0, err
	}
	if m < n {
		return 0, io.ErrUnexpectedEOF
	}
	return h.Sum32(), nil
}
