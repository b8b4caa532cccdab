package spool

import (
	"io/fs"
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
