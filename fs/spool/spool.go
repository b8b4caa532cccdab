package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNoSpace: the disk or the limit is full; nothing was accepted.
var ErrNoSpace = errors.New("no space in the spool")

// ErrDisk: the disk refuses for another reason than room; nothing was accepted.
var ErrDisk = errors.New("the state directory cannot be written (was it removed, or made read-only?); make it writable, or unmount and mount again with another --state-dir")

// ErrFormat: the directory was written by a version of the program that is not understood.
var ErrFormat = errors.New("unknown spool format")

const (
	formatName  = "format"
	opsName     = "ops"
	journalName = "journal"
	dataName    = "data"
	filePrefix  = "f-"
	badPrefix   = "bad-"
)

// Options of a spool; the zero value has no limit and uses the disk.
type Options struct {
	// Limit is the number of bytes the spool may take, its journals included; 0 means no limit.
	// What has to be noted of changes that were accepted is never refused for it.
	Limit int64
	FS    FS
}

// A Spool is the directory of the dirty files of one mount. Only one process uses it.
type Spool struct {
	dir   string
	fs    FS
	limit int64
	boot  string

	ops *opLog

	mu     sync.Mutex
	used   int64 // by files
	logged int64 // by ops
	next   int
}

// Open opens the spool in dir, which exists, and begins a new one if dir is empty. Files
// that an earlier process left there are not touched; ScanDir reads them. A spool of an
// older format is ErrFormat: its program would not understand what is added.
func Open(dir string, o Options) (*Spool, error) {
	s := &Spool{dir: dir, fs: o.FS, limit: o.Limit}
	if s.fs == nil {
		s.fs = osFS{}
	}
	s.boot = s.fs.Boot()
	if s.limit <= 0 {
		s.limit = math.MaxInt64
	}
	names, err := s.fs.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	if err := s.checkFormat(); err != nil {
		return nil, fmt.Errorf("opening the spool %s: %w", dir, err)
	}
	for _, n := range names {
		if i, ok := fileNumber(strings.TrimPrefix(n, badPrefix)); ok {
			s.next = max(s.next, i)
		}
	}
	if s.ops, err = openOps(s.fs, filepath.Join(dir, opsName), s.countLog); err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	return s, nil
}

// checkFormat reads the format number, or writes it in a new spool.
func (s *Spool) checkFormat() error {
	name := filepath.Join(s.dir, formatName)
	got, err := readFormat(s.fs, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case got == "":
		// A crash came between making the file and writing it.
		if err := s.fs.Remove(name); err != nil {
			return err
		}
	default:
		return formatError(got, Format)
	}
	f, err := s.fs.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strconv.Itoa(Format)+"\n"), 0); err != nil {
		return diskError(err)
	}
	return nil
}

func readFormat(fsys FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, 32)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimSpace(string(b[:n])), nil
}

// formatError is nil for the formats from oldest to that of this program.
func formatError(got string, oldest int) error {
	if n, err := strconv.Atoi(got); err != nil || n < oldest || n > Format {
		return fmt.Errorf("%w: %q, this program knows %d to %d", ErrFormat, got, oldest, Format)
	}
	return nil
}

// fileNumber returns N of the directory name f-N.
func fileNumber(name string) (int, bool) {
	n, ok := strings.CutPrefix(name, filePrefix)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(n)
	return i, err == nil
}

// Create makes the directory of a file that is about to become dirty.
func (s *Spool) Create(h Header) (*File, error) {
	h.Format = Format
	h.Created, h.Boot = time.Now(), s.boot
	s.mu.Lock()
	s.next++
	dir := filepath.Join(s.dir, fmt.Sprintf("%s%06d", filePrefix, s.next))
	s.mu.Unlock()
	f := &File{s: s, dir: dir, header: h}
	f.mu.content = content{size: h.Size, base: min(h.BaseSize, h.Size)}
	if err := f.create(); err != nil {
		f.remove()
		s.unreserve(f.mu.counted)
		return nil, fmt.Errorf("making a spool file for %q: %w", h.Key, diskError(err))
	}
	return f, nil
}

// Used is the number of bytes that the files in the spool take, with the room that their journals
// keep for what is still to be noted.
func (s *Spool) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// Close closes what the spool itself has open; its files stay as they are.
func (s *Spool) Close() error { return s.ops.close() }

func (s *Spool) reserve(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.limit-s.used-s.logged {
		return fmt.Errorf("%w: %d of %d bytes are used", ErrNoSpace, s.used+s.logged, s.limit)
	}
	s.used += n
	return nil
}

func (s *Spool) unreserve(n int64) { s.count(-n) }

// count notes that the files take n bytes more, whatever the limit is.
func (s *Spool) count(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += n
}

// countLog is count for the log of mutations.
func (s *Spool) countLog(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logged += n
}
