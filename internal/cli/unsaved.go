package cli

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/latchfs/latchfs/fs/spool"
)

// spoolUse counts the files in a spool and the disk space they take. Its owner may be
// at work in it: what vanishes meanwhile does not count.
func spoolUse(dir string) (files int, bytes int64) {
	filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
		case e.IsDir() && strings.HasPrefix(e.Name(), "f-"):
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

// unsavedFiles names what is left in the spool of a session whose lock we hold.
func unsavedFiles(dir string) ([]string, error) {
	scan, err := spool.ScanDir(dir, nil)
	if err != nil {
		return nil, err
	}
	defer scan.Close()
	var names []string
	for _, f := range scan.Files {
		switch {
		case f.Tail != nil:
			names = append(names, fmt.Sprintf("%s (%s, not closed)", f.Key, humanSize(f.Tail.Size())))
		case f.Sealed != nil:
			names = append(names, fmt.Sprintf("%s (%s)", f.Key, humanSize(f.Sealed.Size())))
		}
	}
	for name, why := range scan.Bad {
		names = append(names, fmt.Sprintf("%s (unreadable: %v)", filepath.Join(dir, name), why))
	}
	return names, nil
}
