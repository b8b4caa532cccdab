// Package procfs reads the process file system (proc(5)): of a process its status, its
// descriptors and its mounts.
//
// It reads what the kernel says of files and mounts and never asks the file systems
// themselves, which may hang, be dead, or be the very one that asks.
package procfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// An FS is the directory that a process file system is mounted at.
type FS string

// Default is where every Linux system has it.
const Default FS = "/proc"

// A Process is a process or one of its threads.
type Process struct {
	ID  int
	dir string
	// here: its id is one that kill(2) takes.
	here bool
}

// Process gives the process or thread of that id; whether there is one its methods tell.
func (f FS) Process(id int) Process {
	return Process{ID: id, dir: f.path(strconv.Itoa(id)), here: f == Default}
}

// Self gives the calling process, also where the file system shows another pid namespace
// than the caller's and ids do not agree.
func (f FS) Self() Process { return Process{ID: os.Getpid(), dir: f.path("self")} }

// Processes lists all processes, in no particular order.
func (f FS) Processes() ([]Process, error) {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, f.Process(id))
		}
	}
	return all, nil
}

// BootID is the random id that the kernel chose when it started.
func (f FS) BootID() (string, error) { return read(f.path("sys/kernel/random/boot_id")) }

func (f FS) path(name string) string { return filepath.Join(string(f), name) }

// Name is the name of the process's program, as far as it can be read.
func (p Process) Name() string {
	name, _ := read(filepath.Join(p.dir, "comm"))
	return name
}

// Uses tells whether the process keeps the mount at path busy: by its working directory,
// root, program or open files. What the caller may not look at counts as not in use.
func (p Process) Uses(path string) bool {
	links := []string{"cwd", "root", "exe"}
	fds, _ := names(filepath.Join(p.dir, "fd"))
	for _, fd := range fds {
		links = append(links, "fd/"+fd)
	}
	for _, l := range links {
		target, err := os.Readlink(filepath.Join(p.dir, l))
		if err == nil && (target == path || strings.HasPrefix(target, path+"/")) {
			return true
		}
	}
	return false
}

// WaitsForFUSE tells whether a thread of the process waits for an answer of a FUSE file system,
// whichever. A descriptor that is being closed is in nobody's table any more, and keeps its mount
// busy. What the caller may not trace counts as not waiting.
func (p Process) WaitsForFUSE() bool {
	threads, _ := names(filepath.Join(p.dir, "task"))
	for _, t := range threads {
		// The function of the kernel that it sleeps in (linux:fs/fuse/dev.c).
		if in, _ := read(filepath.Join(p.dir, "task", t, "wchan")); in == "request_wait_answer" {
			return true
		}
	}
	return false
}

// Gone tells the errors of a process or descriptor that ended while we looked.
func Gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// Gone tells the errors of a process or thread that has ended. With the option hidepid of proc(5) the
// processes of other users look the same; the kernel tells them apart.
func (p Process) Gone(err error) bool {
	return Gone(err) && !(p.here && !errors.Is(unix.Kill(p.ID, 0), unix.ESRCH))
}

// read gives a file of one line.
func read(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}

// names reads the names in a directory; their order does not matter.
func names(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}
