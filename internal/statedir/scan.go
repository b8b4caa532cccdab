package statedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Session is a session directory as Scan found it.
type Session struct {
	Name  string
	Mount Mount
}

// Scan lists the session directories of a state directory, live or dead. One that
// cannot be read is reported in the error beside the others. A missing state directory
// has none. Unfinished ones that a dead process left are removed.
func Scan(stateDir string) ([]Session, error) { return thisHost().scan(stateDir) }

func (h host) scan(stateDir string) ([]Session, error) {
	entries, err := os.ReadDir(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Session
	var bad []error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		path := filepath.Join(stateDir, e.Name())
		if strings.HasPrefix(e.Name(), unfinished) {
			h.removeAbandoned(path, e)
			continue
		}
		m, err := readMount(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile, or not ours
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		found = append(found, Session{Name: e.Name(), Mount: m})
	}
	return found, errors.Join(bad...)
}
