package integration

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A fileCall is one system call that the program "files" is asked to make.
type fileCall struct {
	Op    string
	Path  string `json:",omitempty"`
	To    string `json:",omitempty"`
	FD    int    `json:",omitempty"`
	Flags int    `json:",omitempty"`
	N     int    `json:",omitempty"`
	Off   int64  `json:",omitempty"`
	Data  []byte `json:",omitempty"`
}

type fileResult struct {
	Errno syscall.Errno `json:",omitempty"`
	N     int           `json:",omitempty"`
	Data  []byte        `json:",omitempty"`
}

// filesProgram makes the system calls it reads from its standard input, one JSON object
// per line, and answers each with one line. Nothing stands between the test and the
// errno: os.File would retry or hide some.
func filesProgram([]string) int {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var c fileCall
		if err := in.Decode(&c); err != nil {
			return 0
		}
		r, err := c.do()
		if err != nil {
			errno, ok := err.(syscall.Errno)
			if !ok {
				fmt.Fprintln(os.Stderr, c.Op, err)
				return 1
			}
			r.Errno = errno
		}
		if err := out.Encode(r); err != nil {
			return 1
		}
	}
}

func (c fileCall) do() (r fileResult, err error) {
	switch c.Op {
	case "open":
		r.N, err = unix.Open(c.Path, c.Flags|unix.O_CLOEXEC, 0o644)
	case "close":
		err = unix.Close(c.FD)
	case "write":
		r.N, err = unix.Pwrite(c.FD, c.Data, c.Off)
	case "append":
		r.N, err = unix.Write(c.FD, c.Data)
	case "read":
		r.Data = make([]byte, c.N)
		r.N, err = unix.Pread(c.FD, r.Data, c.Off)
		r.Data = r.Data[:max(r.N, 0)]
	case "fsync":
		err = unix.Fsync(c.FD)
	case "ftruncate":
		err = unix.Ftruncate(c.FD, c.Off)
	case "truncate":
		err = unix.Truncate(c.Path, c.Off)
	case "chmod":
		err = unix.Chmod(c.Path, uint32(c.N))
	case "fchmod":
		err = unix.Fchmod(c.FD, uint32(c.N))
	case "chown":
		err = unix.Lchown(c.Path, c.N, c.N)
	case "futimes":
		err = unix.Futimes(c.FD, []unix.Timeval{{Sec: c.Off}, {Sec: c.Off}})
	case "symlink":
		err = unix.Symlink(c.To, c.Path)
	case "readlink":
		r.Data = make([]byte, 256)
		r.N, err = unix.Readlink(c.Path, r.Data)
		r.Data = r.Data[:max(r.N, 0)]
	case "rmdir":
		err = unix.Rmdir(c.Path)
	case "list":
		var names []string
		if names, err = readNames(c.Path); err == nil {
			r.Data = []byte(strings.Join(names, " "))
		}
	case "get":
		r.Data, err = os.ReadFile(c.Path)
	case "put":
		err = os.WriteFile(c.Path, c.Data, 0o644)
	case "dup":
		r.N, err = unix.FcntlInt(uintptr(c.FD), unix.F_DUPFD_CLOEXEC, 0)
	case "map":
		err = mapWrite(c.FD, c.Off, c.Data)
	case "fstat", "lstat":
		var st unix.Stat_t
		if c.Op == "fstat" {
			err = unix.Fstat(c.FD, &st)
		} else {
			err = unix.Lstat(c.Path, &st)
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR { // of which sizes and links are everybody's own
			st.Size, st.Nlink = 0, 0
		}
		r.Data = fmt.Appendf(nil, "%o %d %d %d", st.Mode, st.Size, st.Nlink, st.Uid)
	case "size":
		var st unix.Stat_t
		err = unix.Fstat(c.FD, &st)
		r.N = int(st.Size)
	case "ino", "fino": // of a name, of a descriptor
		var st unix.Stat_t
		if c.Op == "ino" {
			err = unix.Lstat(c.Path, &st)
		} else {
			err = unix.Fstat(c.FD, &st)
		}
		r.N = int(st.Ino)
	case "stat":
		var st unix.Stat_t
		err = unix.Lstat(c.Path, &st)
		r.N = int(st.Size)
	case "unlink":
		err = unix.Unlink(c.Path)
	case "link":
		err = unix.Link(c.Path, c.To)
	case "mknod":
		err = unix.Mknod(c.Path, unix.S_IFCHR|0o644, 0)
	case "mkdir":
		err = unix.Mkdir(c.Path, 0o755)
	case "rename":
		err = unix.Rename(c.Path, c.To)
	case "exchange":
		err = unix.Renameat2(unix.AT_FDCWD, c.Path, unix.AT_FDCWD, c.To, unix.RENAME_EXCHANGE)
	case "noreplace":
		err = unix.Renameat2(unix.AT_FDCWD, c.Path, unix.AT_FDCWD, c.To, unix.RENAME_NOREPLACE)
	case "flock":
		err = unix.Flock(c.FD, c.N)
	case "fcntl":
		err = unix.FcntlFlock(uintptr(c.FD), c.N, &unix.Flock_t{Type: unix.F_WRLCK})
	case "getxattr":
		r.Data = make([]byte, 256)
		r.N, err = unix.Lgetxattr(c.Path, c.To, r.Data)
		r.Data = r.Data[:max(r.N, 0)]
	case "setxattr":
		err = unix.Lsetxattr(c.Path, c.To, c.Data, 0)
	case "listxattr":
		r.N, err = unix.Llistxattr(c.Path, nil)
	default:
		err = fmt.Errorf("unknown call")
	}
	if wrapped, ok := errors.AsType[syscall.Errno](err); ok {
		err = wrapped
	}
	return r, err
}

// mapWrite writes through a mapping of the whole file, as much as it has room for.
func mapWrite(fd int, off int64, data []byte) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size == 0 || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return err
	}
	m, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	copy(m[min(off, st.Size):], data)
	return unix.Munmap(m)
}

// readNames lists a directory in order.
func readNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// files is a process that makes system calls on a mount, one at a time.
type files struct {
	t       testing.TB
	process *harness.Process
	in      io.WriteCloser
	out     *bufio.Scanner
}

func newFiles(e *harness.Env) *files {
	e.Helper()
	cmd := e.ProgramCommand("files")
	// It makes its calls itself, where os would repeat them: Go interrupts its own threads.
	cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff=1")
	return startFiles(e, cmd)
}

func startFiles(e *harness.Env, cmd *exec.Cmd) *files {
	e.Helper()
	in, err := cmd.StdinPipe()
	e.Must(err)
	out, err := cmd.StdoutPipe()
	e.Must(err)
	f := &files{t: e, in: in, out: bufio.NewScanner(out), process: e.Start(cmd)}
	f.out.Buffer(nil, 64<<20)
	return f
}

// begin makes a call whose end the caller waits for on the channel.
func (f *files) begin(c fileCall) <-chan fileResult {
	f.t.Helper()
	line, err := json.Marshal(c)
	if err == nil {
		_, err = f.in.Write(append(line, '\n'))
	}
	if err != nil {
		f.t.Fatalf("%s: %v", c.Op, err)
	}
	done := make(chan fileResult, 1)
	go func() {
		var r fileResult
		if f.out.Scan() && json.Unmarshal(f.out.Bytes(), &r) == nil {
			done <- r
		}
	}()
	return done
}

// within gives the result of a call that was begun.
func (f *files) within(limit time.Duration, done <-chan fileResult) (fileResult, error) {
	f.t.Helper()
	select {
	case r := <-done:
		if r.Errno != 0 {
			return r, r.Errno
		}
		return r, nil
	case <-time.After(limit):
		f.t.Fatalf("a system call hangs for more than %s", limit)
		return fileResult{}, nil
	}
}

// call makes a call that may take two minutes.
func (f *files) call(c fileCall) (fileResult, error) {
	f.t.Helper()
	return f.within(2*time.Minute, f.begin(c))
}

// must is call for what has to succeed.
func (f *files) must(c fileCall) fileResult {
	f.t.Helper()
	r, err := f.call(c)
	if err != nil {
		f.t.Fatalf("%s of %s: %v", c.Op, c.Path, err)
	}
	return r
}

func (f *files) open(path string, flags int) (int, error) {
	f.t.Helper()
	r, err := f.call(fileCall{Op: "open", Path: path, Flags: flags})
	return r.N, err
}

// mustOpen is open for tests in which it has to work.
func (f *files) mustOpen(path string, flags int) int {
	f.t.Helper()
	fd, err := f.open(path, flags)
	if err != nil {
		f.t.Fatalf("open %s: %v", path, err)
	}
	return fd
}

func (f *files) write(fd int, off int64, data string) error {
	f.t.Helper()
	r, err := f.call(fileCall{Op: "write", FD: fd, Off: off, Data: []byte(data)})
	if err == nil && r.N != len(data) {
		f.t.Fatalf("write(2) took %d of %d bytes", r.N, len(data))
	}
	return err
}

func (f *files) mustWrite(fd int, off int64, data string) {
	f.t.Helper()
	if err := f.write(fd, off, data); err != nil {
		f.t.Fatalf("write: %v", err)
	}
}

func (f *files) read(fd int, off int64, n int) (string, error) {
	f.t.Helper()
	r, err := f.call(fileCall{Op: "read", FD: fd, Off: off, N: n})
	return string(r.Data), err
}

func (f *files) mustRead(fd int, off int64, n int) string {
	f.t.Helper()
	s, err := f.read(fd, off, n)
	if err != nil {
		f.t.Fatalf("read: %v", err)
	}
	return s
}

func (f *files) close(fd int) error {
	f.t.Helper()
	_, err := f.call(fileCall{Op: "close", FD: fd})
	return err
}

func (f *files) mustClose(fd int) {
	f.t.Helper()
	if err := f.close(fd); err != nil {
		f.t.Fatalf("close: %v", err)
	}
}

func (f *files) fsync(fd int) error {
	f.t.Helper()
	_, err := f.call(fileCall{Op: "fsync", FD: fd})
	return err
}

// put writes a whole file as one open, write, close.
func (f *files) put(path, data string) error {
	f.t.Helper()
	fd, err := f.open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return err
	}
	if err := f.write(fd, 0, data); err != nil {
		f.close(fd)
		return err
	}
	return f.close(fd)
}

func (f *files) mustPut(path, data string) {
	f.t.Helper()
	if err := f.put(path, data); err != nil {
		f.t.Fatalf("writing %s: %v", path, err)
	}
}

// get reads a whole file of at most 1 MiB.
func (f *files) get(path string) (string, error) {
	f.t.Helper()
	fd, err := f.open(path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	s, err := f.read(fd, 0, 1<<20)
	f.close(fd)
	return s, err
}

func (f *files) mustGet(path string) string {
	f.t.Helper()
	s, err := f.get(path)
	if err != nil {
		f.t.Fatalf("reading %s: %v", path, err)
	}
	return s
}
