package localserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/procfs"
)

const program = "latchfs-local"

// ErrNoProgram: the program latchfs-local was not found.
var ErrNoProgram = errors.New("the program " + program + " is neither beside this one nor in PATH: run make build, and keep both programs in one directory")

// maxLog is the size in bytes beyond which server.err is begun anew.
const maxLog = 4 << 20

// find looks for the server's program beside our own and in PATH.
func find() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), program)
		if i, err := os.Stat(beside); err == nil && i.Mode().IsRegular() && i.Mode()&0o111 != 0 {
			return beside, nil
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", ErrNoProgram
	}
	return path, nil
}

// start runs the server in a session of its own, so that it outlives us and no signal
// of our terminal reaches it. The channel closes when it exits.
func (s *Server) start() (<-chan struct{}, error) {
	log, err := s.openLog()
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.program, s.dir)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := procfs.CloseOnExec(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.program, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.program, err)
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		close(exited)
	}()
	s.process, s.exited = cmd.Process, exited
	return exited, nil
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "server.err") }

func (s *Server) openLog() (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if i, err := os.Stat(s.logPath()); err == nil && i.Size() > maxLog {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(s.logPath(), flags, 0o600)
}

// lastWords gives the last line of the server's log.
func (s *Server) lastWords() string {
	f, err := os.Open(s.logPath())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if i, err := f.Stat(); err == nil && i.Size() > 4096 {
		f.Seek(-4096, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return "it said nothing in " + s.logPath()
}

// free tells whether nobody holds the flock on path.
func free(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		return false
	}
	defer f.Close()
	// Shared, so that two users who ask at once do not see each other.
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
}
