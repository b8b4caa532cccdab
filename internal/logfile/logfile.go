// Package logfile is a log file that several processes append to and that does not grow without
// end.
//
// A file that is full is renamed to NAME.1, what has that name to NAME.2, and so on; the oldest is
// dropped, and a new file begins. The size of the file that a process has open tells it whether
// another one has done so: what was renamed is full. So no line goes anywhere but into a file of
// the chain, and nobody waits for anybody: a process that is stopped halfway holds up no other.
//
// A tool that moves the file away, as logrotate does, finds that the lines follow it until Reopen.
//
// The libraries for this (lumberjack and its descendants) count on being the only writer, and
// none of them follows a file that somebody else has moved.
package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Options say how large a log may become.
type Options struct {
	// Limit is the size in bytes beyond which a file does not grow, but for what others write while
	// one process sets it aside.
	Limit int64
	// Older is how many full files are kept beside the present one; at least 1.
	Older int
	// Opened, if set, is told of each file that is opened, before the one before it is closed. Its
	// error is that of the opening.
	Opened func(*os.File) error
	// Missing, if set, writes the line that says how many writes failed before this one, and why.
	Missing func(w io.Writer, lines int, cause error)
}

// A File is a log file that is open. It is safe for concurrent use.
type File struct {
	path string
	o    Options

	mu   sync.Mutex // guards the fields below and the order of lines
	file *os.File
	stay int64 // after a failure: up to this size the file is not renamed

	// torn: what was written last ended within a line.
	torn bool
	// lost counts the writes that failed since one did not, and cause is why.
	lost  int
	cause error
}

// Open opens the log of that path, and makes it if there is none.
func Open(path string, o Options) (*File, error) {
	l := &File{path: path, o: o}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

// Reopen opens the log of the path anew, for a tool that has moved the file away. After an error
// the log goes on in the file it has.
func (l *File) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open()
}

// Close closes the file; nothing may be written after it.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// open opens what is under the path now in place of the present file.
func (l *File) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil && l.o.Opened != nil {
		if err = l.o.Opened(f); err != nil {
			f.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	if l.file != nil {
		l.file.Close() // each line was a write(2) of its own: nothing waits in it
	}
	l.file, l.stay, l.torn = f, 0, false
	return nil
}

// Write implements io.Writer for one or more whole lines. What cannot be written is lost, as on a
// full disk: how much that was is the first line as soon as there is room again.
func (l *File) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.makeRoom(int64(len(p)))
	if l.lost > 0 {
		if err := l.sayMissing(); err != nil {
			l.lost++
			return 0, err
		}
	}
	n, err := l.write(p)
	if err != nil {
		l.lost, l.cause = l.lost+1, err
	}
	return n, err
}

// sayMissing writes that lines are missing.
func (l *File) sayMissing() error {
	var said bytes.Buffer
	if l.o.Missing != nil {
		l.o.Missing(&said, l.lost, l.cause)
	}
	if _, err := l.write(said.Bytes()); err != nil {
		return err
	}
	l.lost = 0
	return nil
}

// write writes lines, on a line of their own.
func (l *File) write(p []byte) (int, error) {
	if l.torn {
		if _, err := l.file.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		l.torn = false
	}
	n, err := l.file.Write(p)
	if n > 0 {
		l.torn = p[n-1] != '\n'
	}
	return n, err
}

// makeRoom begins a new file if n bytes more are too much for the present one. If that fails the
// log goes on in what it has.
func (l *File) makeRoom(n int64) {
	has, err := l.file.Stat()
	if err != nil || has.Size() == 0 || has.Size()+n <= max(l.o.Limit, l.stay) {
		return
	}
	at, err := os.Stat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !os.SameFile(has, at):
		err = l.open() // somebody else has renamed it
	case err == nil:
		if err = l.rename(has); err == nil {
			err = l.open()
		}
	}
	if err != nil {
		l.stay = has.Size() + l.o.Limit/8 // not at each line again
	}
}

// rename sets the present file aside, which is under the path, unless another process does so at
// this moment.
func (l *File) rename(has os.FileInfo) error {
	// Two who rename at the same time would drop two files. Whoever comes second writes on.
	fd := int(l.file.Fd())
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil
	}
	// Not left to the closing: a process that we started may have the file as standard error.
	defer unix.Flock(fd, unix.LOCK_UN)
	if at, err := os.Stat(l.path); err != nil || !os.SameFile(has, at) {
		return nil // done by another process before we had the lock
	}
	for i := l.o.Older; i > 0; i-- {
		if err := os.Rename(l.older(i-1), l.older(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// older is the path of the file that was full i files ago.
func (l *File) older(i int) string {
	if i == 0 {
		return l.path
	}
	return fmt.Sprint(l.path, ".", i)
}
