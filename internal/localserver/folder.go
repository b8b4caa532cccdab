package localserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// index is the server's file that a folder has from its first start on.
const index = "index.db"

// names are those of everything that we and the server make in a folder.
var names = []string{"users", "lock", "server.json", "server.log", "server.err", index, "objects"}

// makeFolder makes the folder, unless it is there, and gives the directories that were made, the
// outermost first. One that holds what is not ours is refused: its files would not be in the
// mount, and ours would lie among them.
func makeFolder(dir string) (made []string, err error) {
	switch entries, err := os.ReadDir(dir); {
	case err == nil:
		return nil, checkEntries(dir, entries)
	case errors.Is(err, unix.ENOTDIR):
		return nil, fmt.Errorf("%s is not a folder: name one that is new or empty", dir)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the folder %s: %w", dir, err)
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	slices.Reverse(made)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		removeEmpty(made)
		return nil, fmt.Errorf("the folder %s cannot be made (%w): name one in a directory that you may write to", dir, err)
	}
	return made, nil
}

func checkEntries(dir string, entries []os.DirEntry) error {
	for _, e := range entries {
		if e.Name() == index && e.Type().IsRegular() {
			return nil // whatever else is there now
		}
	}
	for _, e := range entries {
		// A new file system has lost+found, and is a good place.
		if name := e.Name(); name != "lost+found" && !slices.Contains(names, name) {
			return fmt.Errorf("the folder %s holds %s, which is not of latchfs and would not be in the mount: name a folder that is new or empty", dir, name)
		}
	}
	return nil
}

// removeEmpty removes these directories, as far as nothing is in them.
func removeEmpty(dirs []string) {
	for _, d := range slices.Backward(dirs) {
		os.Remove(d)
	}
}

// remove removes a folder that Open made, and what lies in it of ours.
func (s *Server) remove() {
	for _, name := range names {
		os.RemoveAll(filepath.Join(s.dir, name))
	}
	removeEmpty(s.made)
}

// forget removes what a failed Open made, unless a server keeps something in it by now, or may yet.
func (s *Server) forget() {
	if len(s.made) == 0 {
		return
	}
	if s.process != nil {
		select {
		case <-s.exited:
		default:
			return
		}
	}
	if _, err := os.Lstat(filepath.Join(s.dir, index)); errors.Is(err, fs.ErrNotExist) {
		s.remove()
	}
}

const (
	aloneTries = 25 // of startPoll
	endTimeout = 5 * time.Second
)

// Discard is Close for a use that came to nothing: if Open made the folder, and nobody else has
// come to use it, the server is ended, and the folder is removed.
func (s *Server) Discard() error {
	s.stop()
	<-s.watched
	defer s.users.Close()
	if len(s.made) == 0 || s.process == nil || !s.alone() {
		return nil
	}
	// Whoever comes now waits for the flock, and then finds no folder, or makes it anew.
	if err := s.process.Signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending the server of %s: %w", s.dir, err)
	}
	select {
	case <-s.exited:
		s.remove()
	case <-time.After(endTimeout):
		// It ends by itself, and the folder stays.
	}
	return nil
}

// alone takes the flock of the users for us alone. The server holds it for moments too.
func (s *Server) alone() bool {
	for range aloneTries {
		if unix.Flock(int(s.users.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			return true
		}
		time.Sleep(startPoll)
	}
	return false
}
