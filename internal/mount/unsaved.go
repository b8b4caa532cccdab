package mount

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/bytesize"
	"github.com/latchfs/latchfs/internal/shell"
)

// An UnsavedError says that bytes remain in the spool that are not in the bucket, where
// they are and what saves them.
type UnsavedError struct{ text string }

// Error implements error.
func (e *UnsavedError) Error() string { return e.text }

func unsavedf(format string, args ...any) error {
	return &UnsavedError{fmt.Sprintf(format, args...)}
}

// unsaved is the error of a mount that ended with these files in its spool.
func unsaved(spool, files, source, stateDir string) error {
	return unsavedf("not in the bucket yet, kept in %s: %s; %s", spool, files, saveThem(source, stateDir))
}

// saveThem says what saves what is left in a spool: a mount looks in its own state directory alone.
func saveThem(source, stateDir string) string {
	return fmt.Sprintf("mount %s again with --state-dir %s to save them (what was not closed becomes NAME.recovered-HOST-TIME-ID)", shell.Quote(source), shell.Quote(stateDir))
}

// describe names what the open files of a mount left.
func describe(left []file.Left) string {
	var names []string
	for _, l := range left {
		names = append(names, fmt.Sprintf("%s (%s, %s)", l.Key, bytesize.Format(l.Bytes), l.Reason))
	}
	return strings.Join(names, ", ")
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
			names = append(names, fmt.Sprintf("%s (%s, not closed)", f.Key, bytesize.Format(f.Tail.Size())))
		case len(f.Seals) > 0:
			names = append(names, fmt.Sprintf("%s (%s)", f.Key, bytesize.Format(f.Last().Size())))
		default:
			names = append(names, fmt.Sprintf("%s (attributes)", f.Key))
		}
	}
	for name, why := range scan.Bad {
		names = append(names, fmt.Sprintf("%s (unreadable: %v)", filepath.Join(dir, name), why))
	}
	return names, nil
}
