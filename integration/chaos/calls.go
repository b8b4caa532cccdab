package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Where nothing is mounted, a path below the mount point would be one of the machine's own file
// system. So each call goes through a descriptor of the mount's root, which is known to be one.

// prepare finds out what the mount point is without a mount.
func (w *worker) prepare() error {
	fd, err := unix.Open(filepath.Dir(w.mount), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	w.bare, err = mountID(fd)
	return err
}

// mountID gives the id of the mount that a descriptor belongs to; the mount is not asked.
func mountID(fd int) (string, error) {
	info, err := os.ReadFile(fmt.Sprint("/proc/self/fdinfo/", fd))
	if err != nil {
		return "", err
	}
	for text := range strings.Lines(string(info)) {
		if id, ok := strings.CutPrefix(text, "mnt_id:"); ok {
			return strings.TrimSpace(id), nil
		}
	}
	return "", errors.New("no mnt_id")
}

// root opens the root of the mount. It waits until there is one.
func (w *worker) root() int {
	for {
		fd, err := unix.Open(w.mount, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil {
			if id, err := mountID(fd); err == nil && id != w.bare {
				return fd
			}
			unix.Close(fd)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func below(root int, name string) string { return fmt.Sprintf("/proc/self/fd/%d/%s", root, name) }

// name makes a call by name.
func (w *worker) name(e *Event, f func(path string) error) error {
	root := w.root()
	defer unix.Close(root)
	from := clock()
	err := f(below(root, e.Name))
	w.report(*e, from, err)
	return err
}

// readAll reads a file from its beginning, as far as it matters.
func readAll(fd int) (string, error) {
	var all []byte
	for b := make([]byte, 16<<10); ; {
		n, err := unix.Pread(fd, b, int64(len(all)))
		if n <= 0 {
			return string(all), err
		}
		all = append(all, b[:n]...)
	}
}

// shown puts what was read into an event.
func (e *Event) shown(content string) {
	tokens, err := lines(content)
	if err != nil {
		e.Text = content
		return
	}
	e.Lines = tokens
}

// look opens a file for reading, reads it and closes it.
func (w *worker) look(name string) {
	e := Event{Op: "look", Name: name}
	w.name(&e, func(path string) error {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		content, err := readAll(fd)
		e.shown(content)
		return err
	})
}

// begin opens a file for write.
func (w *worker) begin(name, how string) {
	for _, o := range w.open {
		if o.name == name {
			return
		}
	}
	w.handles++
	h := &handle{number: w.handles, name: name, how: how, root: w.root()}
	e := Event{Op: "open", Name: name, Handle: h.number, How: how, Mode: 0o600}
	from := clock()
	var err error
	if h.fd, err = unix.Open(below(h.root, name), hows[how]|unix.O_CLOEXEC, 0o600); err != nil {
		w.report(e, from, err)
		unix.Close(h.root)
		return
	}
	w.open = append(w.open, h)
	w.report(e, from, nil)
	if hows[how]&unix.O_ACCMODE == unix.O_RDWR {
		w.read(h, Event{Op: "first read", Name: name, Handle: h.number, How: how}, from)
	}
}

// reread looks again at what the file has.
func (w *worker) reread(h *handle) {
	w.read(h, Event{Op: "read", Name: h.name, Handle: h.number, How: h.how}, clock())
}

func (w *worker) read(h *handle, e Event, from int64) {
	content, err := readAll(h.fd)
	e.shown(content)
	h.size = int64(len(content))
	for _, token := range e.Lines {
		if !slices.Contains(h.seen, token) {
			h.seen = append(h.seen, token)
		}
	}
	w.after(h, e, from, err)
}

// after reports a call on a handle. One that its mount has given up is closed, and one of which
// the worker does not know what the file has.
func (w *worker) after(h *handle, e Event, from int64, err error) {
	w.report(e, from, err)
	if err == unix.ENOTCONN || err == unix.ESTALE || err != nil && e.Op == "first read" {
		w.close(h)
	}
}

// write puts a new line into a file: at its end, instead of everything, or instead of the last
// line through a mapping.
func (w *worker) write(h *handle, way string) {
	w.token++
	last := "-"
	if len(h.seen) > 0 {
		last = h.seen[len(h.seen)-1]
	}
	e := Event{Op: way, Name: h.name, Handle: h.number, How: h.how, Seen: slices.Clone(h.seen),
		Token: fmt.Sprintf("%s.%d.%d", w.host, w.number, w.token)}
	text := []byte(line(e.Token, last))
	from := clock()
	var err error
	switch {
	case way == "add" && hows[h.how]&unix.O_APPEND != 0:
		_, err = unix.Write(h.fd, text)
		h.size += lineSize
	case way == "add":
		_, err = unix.Pwrite(h.fd, text, h.size)
		h.size += lineSize
	case hows[h.how]&unix.O_APPEND != 0 || way == "rewrite": // an appending descriptor writes at the end
		if err = unix.Ftruncate(h.fd, 0); err == nil {
			_, err = unix.Pwrite(h.fd, text, 0)
		}
		h.size, e.Op = lineSize, "rewrite"
	default:
		err = mapLine(h.fd, h.size-lineSize, text)
	}
	if err == nil {
		h.seen = append(h.seen, e.Token)
	}
	w.after(h, e, from, err)
}

// mapLine writes a line through a mapping. Behind the end of a file, which another program may
// have cut, a mapping takes what goes nowhere, as on any file system.
func mapLine(fd int, at int64, text []byte) (err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size < at+lineSize {
		return cmp.Or(err, error(unix.EFAULT))
	}
	m, err := unix.Mmap(fd, 0, int(at)+lineSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer func() {
		if recover() != nil { // the file is shorter now, or gone
			err = unix.EFAULT
		}
		if uerr := unix.Munmap(m); err == nil {
			err = uerr
		}
	}()
	copy(m[at:], text)
	return nil
}

// cut makes a file shorter by a line.
func (w *worker) cut(h *handle) {
	e := Event{Op: "cut", Name: h.name, Handle: h.number, How: h.how}
	from := clock()
	h.size -= lineSize
	w.after(h, e, from, unix.Ftruncate(h.fd, h.size))
}

func (w *worker) fsync(h *handle) {
	from := clock()
	w.after(h, Event{Op: "fsync", Name: h.name, Handle: h.number, How: h.how}, from, unix.Fsync(h.fd))
}

func (w *worker) close(h *handle) {
	e := Event{Op: "close", Name: h.name, Handle: h.number, How: h.how}
	var mine, st unix.Stat_t
	if unix.Fstat(h.fd, &mine) == nil {
		for _, o := range w.open {
			e.Other = e.Other || o != h && unix.Fstat(o.fd, &st) == nil && st.Ino == mine.Ino
		}
	}
	from := clock()
	err := unix.Close(h.fd)
	w.forget(h)
	w.report(e, from, err)
}

// chmod gives a mode that no other call gives for long, through a descriptor if there is one.
func (w *worker) chmod(h *handle, name string) {
	var mode uint32
	for mode&0o600 != 0o600 || mode == 0o600 || mode == 0o644 || mode == 0o755 {
		w.mode++
		n := uint32(w.mode*w.all + w.place)
		mode = 0o600 | n%0o200 | n/0o200%2*unix.S_ISVTX
	}
	e := Event{Op: "chmod", Name: name, Mode: mode}
	if h == nil {
		w.name(&e, func(path string) error { return unix.Chmod(path, mode) })
		return
	}
	e.Op, e.Handle, e.How = "fchmod", h.number, h.how
	from := clock()
	w.after(h, e, from, unix.Fchmod(h.fd, mode))
}

func (w *worker) truncate(name string) {
	w.name(&Event{Op: "truncate", Name: name}, func(path string) error { return unix.Truncate(path, 0) })
}

func (w *worker) unlink(name string) {
	w.name(&Event{Op: "unlink", Name: name}, unix.Unlink)
}

// directory makes or removes a directory.
func (w *worker) directory(op, name string) {
	w.name(&Event{Op: op, Name: name}, func(path string) error {
		if op == "mkdir" {
			return unix.Mkdir(path, 0o700)
		}
		return unix.Rmdir(path)
	})
}

func (w *worker) rename(name, to string) {
	err := w.name(&Event{Op: "rename", Name: name, To: to}, func(path string) error {
		return unix.Rename(path, strings.TrimSuffix(path, name)+to)
	})
	for _, h := range w.open {
		if err == nil && h.name == name {
			h.name = to
		}
	}
}
