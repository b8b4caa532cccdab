package cli

import (
	"fmt"
	"path/filepath"

	"github.com/latchfs/latchfs/fs/spool"
)

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
		case len(f.Seals) > 0:
			names = append(names, fmt.Sprintf("%s (%s)", f.Key, humanSize(f.Last().Size())))
		default:
			names = append(names, fmt.Sprintf("%s (attributes)", f.Key))
		}
	}
	for name, why := range scan.Bad {
		names = append(names, fmt.Sprintf("%s (unreadable: %v)", filepath.Join(dir, name), why))
	}
	return names, nil
}
