package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// errCrashed is what everything answers after the crash.
var errCrashed = errors.New("crashed")

// memFS is a disk in memory. Each operation that changes something is a labelled step, of
// which one can be made to fail or to be the last; a power cut then leaves what was synced
// and any part of the rest.
type memFS struct {
	mu    sync.Mutex
	files map[string]*memData // by path
	dirs  map[string]bool
	// durable is what a power cut leaves for sure.
	durableFiles map[string]*memData
	durableDirs  map[string]bool

	steps   []string // labels of the steps so far
	crashAt int      // number of the step that does not happen any more; 0: never
	failAt  int      // number of the step that fails with failErr; 0: none
	failErr error
	boots   int  // power cuts so far
	full    bool // there is no room but what was reserved
}

func (m *memFS) Boot() string { return fmt.Sprint("boot ", m.boots) }

type memData struct {
	b      []byte
	synced []byte // content at the last sync
	room   int64  // reserved up to here
}

func newMemFS() *memFS {
	return &memFS{
		files: map[string]*memData{}, dirs: map[string]bool{"/spool": true},
		durableFiles: map[string]*memData{}, durableDirs: map[string]bool{"/spool": true},
	}
}

// step counts one change. m.mu is held.
func (m *memFS) step(op, name string) error {
	if m.crashAt > 0 && len(m.steps)+1 >= m.crashAt {
		m.steps = append(m.steps, "crash")
		return errCrashed
	}
	m.steps = append(m.steps, op+" "+path.Base(name))
	if m.failAt == len(m.steps) {
		return m.failErr
	}
	return nil
}

// killed is the disk after kill -9: everything that was written is there.
func (m *memFS) killed() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := newMemFS()
	n.boots = m.boots
	for name, d := range m.files {
		n.files[name] = &memData{b: append([]byte(nil), d.b...)}
	}
	for d := range m.dirs {
		n.dirs[d] = true
	}
	return n
}

// powerCut is the disk after a power cut: what was synced is there; of what was not, keep
// decides for each block of 64 bytes whether it had reached the disk, the others are zero.
func (m *memFS) powerCut(keep func(name string, block int) bool) *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := newMemFS()
	n.boots = m.boots + 1
	for d := range m.durableDirs {
		n.dirs[d] = true
	}
	for name, d := range m.durableFiles {
		b := append([]byte(nil), d.synced...)
		for at := 0; at < len(d.b); at += 64 {
			end := min(at+64, len(d.b))
			if !keep(name, at/64) {
				continue
			}
			if end > len(b) {
				b = append(b, make([]byte, end-len(b))...)
			}
			copy(b[at:end], d.b[at:end])
		}
		n.files[name] = &memData{b: b}
	}
	return n
}

func (m *memFS) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("mkdir", name); err != nil {
		return err
	}
	if m.dirs[name] {
		return fs.ErrExist
	}
	m.dirs[name] = true
	return nil
}

func (m *memFS) Create(name string) (DiskFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("create", name); err != nil {
		return nil, err
	}
	if m.files[name] != nil {
		return nil, fs.ErrExist
	}
	d := &memData{}
	m.files[name] = d
	return &memFile{m: m, name: name, d: d}, nil
}

func (m *memFS) Open(name string) (DiskFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.files[name]
	if d == nil {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &memFile{m: m, name: name, d: d}, nil
}

func (m *memFS) ReadDir(name string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[name] {
		return nil, fs.ErrNotExist
	}
	var out []string
	for p := range m.files {
		if path.Dir(p) == name {
			out = append(out, path.Base(p))
		}
	}
	for p := range m.dirs {
		if path.Dir(p) == name && p != name {
			out = append(out, path.Base(p))
		}
	}
	sort.Strings(out)
	return out, nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("rename", from); err != nil {
		return err
	}
	if d := m.files[from]; d != nil {
		delete(m.files, from)
		m.files[to] = d
		return nil
	}
	for p, d := range m.files {
		if strings.HasPrefix(p, from+"/") {
			delete(m.files, p)
			m.files[to+p[len(from):]] = d
		}
	}
	delete(m.dirs, from)
	m.dirs[to] = true
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("remove", name); err != nil {
		return err
	}
	if m.files[name] == nil && !m.dirs[name] {
		return fs.ErrNotExist
	}
	for p := range m.files {
		if path.Dir(p) == name {
			return unix.ENOTEMPTY
		}
	}
	delete(m.files, name)
	delete(m.dirs, name)
	return nil
}

func (m *memFS) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step("syncdir", name); err != nil {
		return err
	}
	for p := range m.durableFiles {
		if path.Dir(p) == name && m.files[p] == nil {
			delete(m.durableFiles, p)
		}
	}
	for p, d := range m.files {
		if path.Dir(p) == name {
			m.durableFiles[p] = d
		}
	}
	for p := range m.dirs {
		if path.Dir(p) == name {
			m.durableDirs[p] = true
		}
	}
	return nil
}

type memFile struct {
	m    *memFS
	name string
	d    *memData
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if off >= int64(len(f.d.b)) {
		return 0, io.EOF
	}
	n := copy(p, f.d.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	err := f.m.step("write", f.name)
	n := len(p)
	if f.m.full && off+int64(n) > max(f.d.room, int64(len(f.d.b))) {
		err = unix.ENOSPC
	}
	if err != nil {
		n /= 2 // a crash or a full disk in the middle of a write
	}
	if off > int64(len(f.d.b)) {
		f.d.b = append(f.d.b, make([]byte, off-int64(len(f.d.b)))...)
	}
	m := copy(f.d.b[off:], p[:n])
	f.d.b = append(f.d.b, p[m:n]...)
	return n, err
}

func (f *memFile) ModTime() (time.Time, error) { return time.Unix(1e9, 0), nil }

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return int64(len(f.d.b)), nil
}

func (f *memFile) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step("truncate", f.name); err != nil {
		return err
	}
	f.d.b, f.d.room = f.d.b[:size:size], 0
	return nil
}

func (f *memFile) Reserve(end int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step("reserve", f.name); err != nil {
		return err
	}
	if f.m.full && end > f.d.room {
		return unix.ENOSPC
	}
	f.d.room = max(f.d.room, end)
	return nil
}

func (f *memFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step("sync", f.name); err != nil {
		return err
	}
	f.d.synced = append([]byte(nil), f.d.b...)
	return nil
}

func (f *memFile) Close() error { return nil }
