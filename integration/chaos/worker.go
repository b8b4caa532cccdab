package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Worker is a program that makes random calls on a mount and reports each as an Event, one JSON
// object per line. Its arguments are the mount point, the host, its own number there, the number
// of workers in all, its number among them, the seed, when the run began (clock) and the time to
// work.
func Worker(args []string) int {
	var n [5]uint64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseUint(args[2+i], 10, 64); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
	}
	limit, err := time.ParseDuration(args[7])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	unix.Umask(0)
	debug.SetPanicOnFault(true) // a mapping of what is gone
	w := &worker{mount: args[0], host: args[1], number: int(n[0]), all: int(n[1]), place: int(n[2]),
		seed: n[3], began: int64(n[4]), r: rand.New(rand.NewPCG(n[3], n[2])), out: json.NewEncoder(os.Stdout)}
	if err := w.prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if !w.attend() {
			w.step()
		}
	}
	for len(w.open) > 0 {
		w.close(w.open[0])
	}
	return 0
}

// A worker is one program.
type worker struct {
	mount, host        string
	number, all, place int
	bare               string // mount id of what is under the mount point while nothing is mounted
	seed               uint64
	r                  *rand.Rand
	out                *json.Encoder
	began              int64 // by clock
	met                int64 // number of the last meeting that it went to

	open           []*handle
	handles, token int
	mode           int
	waited         bool // the last call took long, or there was none for long
}

// A handle is a file that the worker has open for write.
type handle struct {
	number, fd int
	name, how  string
	root       int      // the mount that it was opened through
	seen       []string // lines that were read or written through it
	size       int64
}

// How a file is opened for write.
var hows = map[string]int{
	"update": unix.O_RDWR,                                  // of what is there
	"append": unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT, // without a look
	"log":    unix.O_RDWR | unix.O_APPEND | unix.O_CREAT,   // with a look
	"cut":    unix.O_WRONLY | unix.O_TRUNC | unix.O_CREAT,  // a new content, without a look
	"create": unix.O_RDWR | unix.O_CREAT,                   // or update
	"new":    unix.O_RDWR | unix.O_CREAT | unix.O_EXCL,     // or nothing
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// step makes one random call, or a few that belong together.
func (w *worker) step() {
	name, begun := w.pickName(), len(w.open)
	switch n := w.r.IntN(100); {
	case w.waited && begun > 0 && n < 75: // its host may have lost the file, and may not know it
		w.goOnAfter(pick(w.r, w.open...), name)
	case n < 20:
		w.look(name)
	case n < 80 && len(w.open) > 0 && (n < 60 || len(w.open) == 2):
		w.goOn(pick(w.r, w.open...))
	case n < 80:
		w.begin(name, pick(w.r, "update", "update", "update", "create", "create", "log", "append", "cut", "new"))
	case n < 86:
		w.chmod(nil, name)
	case n < 88:
		w.truncate(name)
	case n < 94:
		w.rename(name, w.pickName())
	case n < 95:
		w.unlink(name)
	case n < 98:
		if mayBeDir(name) {
			w.directory("mkdir", name)
		}
	default:
		if mayBeDir(name) {
			w.directory("rmdir", name)
		}
	}
	switch n := w.r.IntN(100); {
	case n < 4 && len(w.open) > 0, n < 20 && len(w.open) > begun: // long enough for a lease to be lost
		time.Sleep(time.Duration(1000+w.r.IntN(3000)) * time.Millisecond)
		w.waited = true
	default:
		time.Sleep(time.Duration(w.r.IntN(60)) * time.Millisecond)
	}
}

// goOnAfter does something with an open file after a long time, by its name or through it.
func (w *worker) goOnAfter(h *handle, to string) {
	switch n := w.r.IntN(6); {
	case n < 2:
		w.rename(h.name, to)
	case n < 4:
		w.look(h.name)
	default:
		w.write(h, "add")
		if slices.Contains(w.open, h) {
			w.close(h)
		}
	}
}

// pickName picks a name, and often the one that is everybody's favourite for some seconds.
func (w *worker) pickName() string {
	const favour = 8 * time.Second
	if w.r.IntN(2) == 0 {
		return Names[int(time.Duration(clock()-w.began)/favour)%len(Names)]
	}
	return pick(w.r, Names...)
}

// goOn does something with an open file.
func (w *worker) goOn(h *handle) {
	reads := h.how != "append" && h.how != "cut"
	switch n := w.r.IntN(100); {
	case n < 30 || h.size == 0:
		w.write(h, "add")
	case n < 40 && reads:
		w.write(h, "rewrite")
	case n < 48 && reads:
		w.write(h, "map")
	case n < 56:
		w.fsync(h)
	case n < 62:
		w.chmod(h, h.name)
	case n < 66 && reads:
		w.reread(h)
	case n < 69 && h.how != "append":
		w.cut(h)
	case n < 76:
		w.rename(h.name, w.pickName())
	default:
		w.close(h)
	}
}

// forget ends the use of a handle that is of no use any more.
func (w *worker) forget(h *handle) {
	unix.Close(h.root)
	w.open = slices.DeleteFunc(w.open, func(o *handle) bool { return o == h })
}

// report writes an event.
func (w *worker) report(e Event, from int64, err error) {
	e.Host, e.Worker, e.From, e.Till = w.host, w.number, from, clock()
	w.waited = e.Till-e.From > int64(700*time.Millisecond)
	if err != nil {
		errno, ok := err.(syscall.Errno)
		if !ok {
			errno = unix.EFAULT
		}
		e.Errno = errno
	}
	if err := w.out.Encode(e); err != nil {
		os.Exit(1)
	}
}
