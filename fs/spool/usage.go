package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Usage counts the files in the spool in dir and the bytes of disk space they take. Its
// owner may be at work in it: what vanishes meanwhile does not count.
func Usage(dir string) (files int, bytes int64) {
	filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
		case e.IsDir() && strings.HasPrefix(e.Name(), filePrefix):
			files++
		case e.Type().IsRegular():
			if i, err := e.Info(); err == nil {
				bytes += i.Size()
			}
		}
		return nil
	})
	return files, bytes
}

// Empty tells whether nothing waits in the spool in dir, whose process is dead: no file, nothing
// that was set aside, and no mutation of which nobody knows what became. Nothing is changed. What
// cannot be read is an error, or is not empty.
func Empty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking into the spool: %w", err)
	}
	for _, e := range entries {
		switch e.Name() {
		case formatName, opsName, opsName + ".new":
		default:
			return false, nil
		}
	}
	ops, err := readOps(osFS{}, filepath.Join(dir, opsName))
	if err != nil {
		return false, fmt.Errorf("looking into the spool %s: %w", dir, err)
	}
	return len(ops) == 0, nil
}
