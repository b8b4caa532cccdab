package flatstore

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

const (
	inlineMax  = 16 << 10 // bodies up to this many bytes live in the index
	copyBuffer = 256 << 10
)

// files keeps the content files: one per segment, written once, never changed.
type files struct {
	dir string

	// barrier is held shared while content is looked up in the index and pinned, and
	// taken exclusively between the commit that drops the last reference to a file and
	// the removal of the file. It comes before mu.
	barrier sync.RWMutex

	mu     sync.Mutex
	pins   map[segmentID]int  // readers of a file
	doomed map[segmentID]bool // to be removed by the last of its readers

	buffers sync.Pool
}

func openFiles(dir string) (*files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &files{
		dir: dir, pins: map[segmentID]int{}, doomed: map[segmentID]bool{},
		buffers: sync.Pool{New: func() any { return new([copyBuffer]byte) }},
	}, nil
}

func (f *files) path(id segmentID) string { return filepath.Join(f.dir, hex.EncodeToString(id[:])) }

// A staged body is durable, but nothing refers to it yet.
type staged struct {
	id     segmentID
	size   int64
	inline []byte // nil: in a file, or empty
}

func (s *staged) content() content {
	if s.size == 0 {
		return content{}
	}
	return content{Extents: []extent{{s.id, 0, s.size}}}
}

func (s *staged) file() bool { return s.size > inlineMax }

// stage reads r to its end. The error is a *writeError if ours, else the reader's.
func (f *files) stage(r io.Reader) (_ *staged, err error) {
	s := &staged{}
	rand.Read(s.id[:])
	head, eof := make([]byte, 0, 512), false
	for len(head) <= inlineMax && !eof {
		if len(head) == cap(head) {
			head = append(head, 0)[:len(head)]
		}
		n, err := r.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if eof = errors.Is(err, io.EOF); err != nil && !eof {
			return nil, err
		}
	}
	s.size = int64(len(head))
	if s.size <= inlineMax {
		if s.size > 0 {
			s.inline = head
		}
		return s, nil
	}
	file, err := os.OpenFile(f.path(s.id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, &writeError{err}
	}
	defer func() {
		if cerr := file.Close(); err == nil && cerr != nil {
			err = &writeError{cerr}
		}
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	if _, err := file.Write(head); err != nil {
		return nil, &writeError{err}
	}
	buf := f.buffers.Get().(*[copyBuffer]byte)
	defer f.buffers.Put(buf)
	for !eof {
		n, err := r.Read(buf[:])
		if _, werr := file.Write(buf[:n]); werr != nil {
			return nil, &writeError{werr}
		}
		s.size += int64(n)
		if eof = errors.Is(err, io.EOF); err != nil && !eof {
			return nil, err
		}
	}
	if err := file.Sync(); err != nil {
		return nil, &writeError{err}
	}
	return s, nil
}

// A writeError is a failure to write a content file.
type writeError struct{ err error }

func (e *writeError) Error() string { return "writing content: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// drop removes a staged body that was not committed.
func (f *files) drop(s *staged) {
	if s != nil && s.file() {
		os.Remove(f.path(s.id))
	}
}

// sync makes the names of all staged files durable.
func (f *files) sync() error {
	d, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", f.dir, err)
	}
	return nil
}

// pin keeps files from being removed. The caller holds the barrier shared.
func (f *files) pin(ids []segmentID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		f.pins[id]++
	}
}

func (f *files) unpin(ids []segmentID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		if f.pins[id]--; f.pins[id] > 0 {
			continue
		}
		delete(f.pins, id)
		if f.doomed[id] {
			delete(f.doomed, id)
			os.Remove(f.path(id))
		}
	}
}

// discard removes files that the committed index no longer refers to, those with
// readers once they are done. A file that cannot be removed is an orphan, which the
// next sweep finds.
func (f *files) discard(dead []segmentID) {
	if len(dead) == 0 {
		return
	}
	f.barrier.Lock() // now whoever saw the old index has pinned what it saw
	f.mu.Lock()
	f.barrier.Unlock()
	defer f.mu.Unlock()
	for _, id := range dead {
		if f.pins[id] > 0 {
			f.doomed[id] = true
			continue
		}
		os.Remove(f.path(id))
	}
}

// sweep removes every file for which known is false: bodies whose commit never came.
// Nobody may be writing.
func (f *files) sweep(known func(segmentID) bool) (removed int, err error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		id, ok := parseSegmentID(e.Name())
		if !ok || known(id) {
			continue
		}
		if err := os.Remove(filepath.Join(f.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

func parseSegmentID(name string) (id segmentID, ok bool) {
	if len(name) != hex.EncodedLen(len(id)) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(name))
	return id, err == nil
}
