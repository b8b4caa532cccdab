package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/spool"
)

// errDead is what a disk answers to a process that was killed.
var errDead = errors.New("the process was killed")

// A disk is a spool's file system in memory, as one process sees it. What a killed process has
// written stays, as in the page cache.
type disk struct {
	*platter
	dead bool // nothing of this process reaches the disk any more
	// fault, if set, is asked about each operation, which is labelled by verb and name of the
	// file: "write journal", "mkdir f-000001". Its error is the answer.
	fault func(label string) error
}

// A platter is what the processes of one machine share. Its mutex guards their disks too.
type platter struct {
	mu    sync.Mutex
	files map[string]*diskData // by path
	dirs  map[string]bool
}

type diskData struct {
	b        []byte
	modified time.Time
}

func newPlatter() *platter {
	return &platter{files: map[string]*diskData{}, dirs: map[string]bool{"/": true}}
}

// disk returns the disk as one more process sees it.
func (p *platter) disk() *disk { return &disk{platter: p} }

// failing makes operations fail, or none with nil.
func (d *disk) failing(fault func(label string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

// begin asks what happens to an operation. d.mu is held.
func (d *disk) begin(verb, name string) error {
	if d.dead {
		return errDead
	}
	if d.fault == nil {
		return nil
	}
	return d.fault(verb + " " + path.Base(name))
}

func (d *disk) Mkdir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("mkdir", name); err != nil {
		return err
	}
	if d.dirs[name] {
		return fs.ErrExist
	}
	d.dirs[name] = true
	return nil
}

func (d *disk) Create(name string) (spool.DiskFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("create", name); err != nil {
		return nil, err
	}
	if d.files[name] != nil {
		return nil, fs.ErrExist
	}
	data := &diskData{modified: time.Now()}
	d.files[name] = data
	return &diskFile{d: d, name: name, data: data}, nil
}

func (d *disk) Open(name string) (spool.DiskFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("open", name); err != nil {
		return nil, err
	}
	data := d.files[name]
	if data == nil {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &diskFile{d: d, name: name, data: data}, nil
}

func (d *disk) ReadDir(name string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("readdir", name); err != nil {
		return nil, err
	}
	if !d.dirs[name] {
		return nil, fs.ErrNotExist
	}
	return d.below(name), nil
}

// below returns the names in a directory in order. d.mu is held.
func (d *platter) below(dir string) (names []string) {
	for _, all := range []([]string){slices.Collect(maps.Keys(d.files)), slices.Collect(maps.Keys(d.dirs))} {
		for _, p := range all {
			if p != dir && path.Dir(p) == dir {
				names = append(names, path.Base(p))
			}
		}
	}
	slices.Sort(names)
	return names
}

func (d *disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("rename", from); err != nil {
		return err
	}
	for p, data := range d.files {
		if rest, ok := strings.CutPrefix(p, from+"/"); ok {
			delete(d.files, p)
			d.files[to+"/"+rest] = data
		}
	}
	delete(d.dirs, from)
	d.dirs[to] = true
	return nil
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("remove", name); err != nil {
		return err
	}
	switch {
	case d.files[name] == nil && !d.dirs[name]:
		return fs.ErrNotExist
	case d.dirs[name] && len(d.below(name)) > 0:
		return unix.ENOTEMPTY
	}
	delete(d.files, name)
	delete(d.dirs, name)
	return nil
}

func (d *disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begin("syncdir", name)
}

func (d *disk) Boot() string { return "boot" }

type diskFile struct {
	d    *disk
	name string
	data *diskData
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.begin("read", f.name); err != nil {
		return 0, err
	}
	if off >= int64(len(f.data.b)) {
		return 0, io.EOF
	}
	n := copy(p, f.data.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt that fails has written half.
func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.d.begin("write", f.name)
	switch {
	case errors.Is(err, errDead):
		return 0, err
	case err != nil:
		p = p[:len(p)/2]
	}
	if grow := off + int64(len(p)) - int64(len(f.data.b)); grow > 0 {
		f.data.b = append(f.data.b, make([]byte, grow)...)
	}
	f.data.modified = time.Now()
	return copy(f.data.b[off:], p), err
}

func (f *diskFile) ModTime() (time.Time, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return f.data.modified, f.d.begin("stat", f.name)
}

func (f *diskFile) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.data.b)), f.d.begin("stat", f.name)
}

func (f *diskFile) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.begin("truncate", f.name); err != nil {
		return err
	}
	f.data.b = f.data.b[:min(size, int64(len(f.data.b)))]
	return nil
}

func (f *diskFile) Reserve(int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return f.d.begin("reserve", f.name)
}

func (f *diskFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return f.d.begin("sync", f.name)
}

func (f *diskFile) Close() error { return nil }
