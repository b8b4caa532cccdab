package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// abandoned is the age from which an unfinished file is one that a crash left.
	abandoned = time.Hour
	// maxSize is more than any entry has, in bytes.
	maxSize = 64 << 10
)

// A Found is an entry, whether the process of its mount lives, and since when it has been there. Of
// those with the same Device the newest is that of the mount: its number was free again.
type Found struct {
	Entry
	Live  bool
	Since time.Time
	path  string
}

// Read gives the entries in dir, which the calling user or root must own. What is no entry of ours
// is left out. A directory that is missing has none.
func Read(dir string) ([]Found, error) {
	if dir == "" {
		return nil, nil
	}
	err := checkDir(dir, os.Geteuid())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []Found
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if f, err := read(filepath.Join(dir, e.Name())); err == nil {
			all = append(all, f)
		}
	}
	return all, nil
}

func read(path string) (Found, error) {
	f, err := open(path)
	if err != nil {
		return Found{}, err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return Found{}, err
	}
	found := Found{path: path, Since: i.ModTime()}
	text, err := io.ReadAll(io.LimitReader(f, maxSize))
	if err != nil {
		return found, err
	}
	if err := json.Unmarshal(text, &found.Entry); err != nil {
		return found, err
	}
	if found.Format > Format || found.Session+suffix != filepath.Base(path) || !filepath.IsAbs(found.StateDir) {
		return found, fmt.Errorf("%s is not an entry that this program knows", path)
	}
	found.Live = held(f)
	return found, nil
}

// open opens a file that belongs to us or to root, and is nothing but a file.
func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	i, err := f.Stat()
	if err == nil && !i.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err == nil {
		err = checkOwner(path, i, os.Geteuid())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// held tells whether a process has the lock of the file.
func held(f *os.File) bool {
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil {
		return true
	}
	unix.Flock(int(f.Fd()), unix.LOCK_UN)
	return false
}

// Clear removes the entries of dead mounts, except of those that are still mounted, and what a
// crash left unfinished.
func Clear(dir string, mounted func(device string) bool) error {
	all, err := Read(dir)
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.Live || mounted(f.Device) {
			continue
		}
		// Nobody makes another one of that name.
		if rerr := os.Remove(f.path); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = rerr
		}
	}
	stale, _ := filepath.Glob(filepath.Join(dir, unfinished+"*"))
	for _, path := range stale {
		if i, serr := os.Lstat(path); serr == nil && time.Since(i.ModTime()) > abandoned {
			os.Remove(path) // the next one tries again
		}
	}
	return err
}

// checkDir fails unless dir is a directory, no link to one, that only the user or root can write to.
func checkDir(dir string, uid int) error {
	i, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !i.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	return checkOwner(dir, i, uid)
}

func checkOwner(path string, i os.FileInfo, uid int) error {
	owner := int(i.Sys().(*syscall.Stat_t).Uid)
	if owner != uid && owner != 0 {
		return fmt.Errorf("%s belongs to user %d", path, owner)
	}
	if i.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written to by others than its owner", path)
	}
	return nil
}
