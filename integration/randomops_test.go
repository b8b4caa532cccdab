package integration

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// TestRandomOperations makes the same system calls, in three processes each, on a mount and
// in a directory of the machine's own file system, and compares every answer: errnos, bytes,
// sizes, modes, links, listings. What one process does another one sees at once, through
// mappings and descriptors of removed files too.
func TestRandomOperations(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one").Expect("refused")
	for seed := range uint64(12) {
		dirs := [2]string{h.Path(fmt.Sprint(seed)), e.Mkdir(fmt.Sprint("native", seed))}
		e.Sh(h.Mountpoint, "mkdir "+dirs[0])
		r := &randomOps{t: t, rand: rand.New(rand.NewPCG(seed, 1)), dirs: dirs, fds: map[int]*openFD{}}
		for range 3 {
			r.processes = append(r.processes, [2]*files{newFiles(e), newFiles(e)})
		}
		for step := 0; step < 200 && !t.Failed(); step++ {
			r.step()
		}
		for _, p := range r.processes {
			p[0].in.Close()
			p[1].in.Close()
		}
		if t.Failed() {
			t.Fatalf("seed %d, after\n%s", seed, strings.Join(r.log[max(0, len(r.log)-40):], "\n"))
		}
	}
}

// randomOps is one run: processes in pairs, the first of which works on the mount.
type randomOps struct {
	t         *testing.T
	rand      *rand.Rand
	dirs      [2]string
	processes [][2]*files
	fds       map[int]*openFD
	opened    int
	log       []string
}

// An openFD is a descriptor of a pair of processes.
type openFD struct{ process, mount, native int }

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (r *randomOps) name() string {
	return pick(r.rand, "a", "b", "c", "d", "d/x", "d/y", "e", "e/f/z", "a~file")
}

// mayDiffer are answers in which the mount is another file system than others: which of
// several reasons a rename fails for, and that what is left of a removed or replaced file
// or directory takes no attributes.
func mayDiffer(c fileCall, mount, native fileResult) bool {
	switch c.Op {
	case "rename":
		return mount.Errno != 0 && native.Errno != 0
	case "fchmod", "futimes":
		return mount.Errno == unix.ESTALE
	}
	return false
}

func (r *randomOps) step() {
	p := r.rand.IntN(len(r.processes))
	var mine []int
	for id := range r.opened {
		if f := r.fds[id]; f != nil && f.process == p {
			mine = append(mine, id)
		}
	}
	ops := "open open open open open open lstat get get put truncate chmod chown rename rename unlink unlink mkdir rmdir symlink readlink list"
	if len(mine) > 0 {
		ops += " close close close close write write write append append append read read read fstat fstat ftruncate fsync fchmod futimes dup map map"
	}
	c := fileCall{Op: pick(r.rand, strings.Fields(ops)...), Off: pick(r.rand, int64(0), 1, 50, 4096, 8000, 100000)}
	c.Data = bytes.Repeat([]byte{byte('a' + r.rand.IntN(26))}, pick(r.rand, 1, 10, 100, 5000, 70000))
	path := r.name()
	c.N = pick(r.rand, 0o600, 0o644, 0o755, 0o4755)
	id := -1
	switch c.Op {
	case "open":
		c.Flags = pick(r.rand, unix.O_RDONLY, unix.O_RDWR, unix.O_WRONLY) |
			pick(r.rand, 0, unix.O_CREAT, unix.O_CREAT|unix.O_EXCL, unix.O_CREAT|unix.O_APPEND, unix.O_APPEND)
		if c.Flags&unix.O_ACCMODE != unix.O_RDONLY {
			c.Flags |= pick(r.rand, 0, 0, unix.O_TRUNC)
		}
	case "chown":
		c.N = pick(r.rand, 0, 1000)
	case "rename":
		c.To = r.name()
		if i, err := os.Lstat(filepath.Join(r.dirs[1], path)); err == nil && i.IsDir() {
			return // directories are not renamed
		}
	case "symlink":
		c.To = pick(r.rand, "a", "c", "d/x", "nowhere")
	case "list":
		path = pick(r.rand, ".", "d", "e", "e/f")
	case "read":
		c.N = pick(r.rand, 1, 100, 200000)
		fallthrough
	case "close", "write", "append", "fstat", "ftruncate", "fsync", "fchmod", "futimes", "dup", "map":
		id = pick(r.rand, mine...)
	}
	var got [2]fileResult
	for i := range got {
		d := c
		d.Path = filepath.Join(r.dirs[i], path)
		if c.Op == "rename" {
			d.To = filepath.Join(r.dirs[i], c.To)
		}
		if id >= 0 {
			d.FD = []int{r.fds[id].mount, r.fds[id].native}[i]
		}
		got[i], _ = r.processes[p][i].call(d)
	}
	r.log = append(r.log, fmt.Sprintf("%d: %s %s %s fd %d flags %#o n %#o off %d, %d bytes: errno %d", p, c.Op, path, c.To, id, c.Flags, c.N, c.Off, len(c.Data), got[0].Errno))
	switch {
	case (c.Op == "open" || c.Op == "dup") && got[0].Errno == 0 && got[1].Errno == 0:
		r.fds[r.opened] = &openFD{p, got[0].N, got[1].N}
		r.opened++
		got[0].N, got[1].N = 0, 0
	case c.Op == "close":
		delete(r.fds, id)
	}
	same := got[0].Errno == got[1].Errno && got[0].N == got[1].N && bytes.Equal(got[0].Data, got[1].Data)
	if !same && !mayDiffer(c, got[0], got[1]) {
		r.t.Errorf("the mount answers errno %d, %d, %.60q (%d bytes), another file system errno %d, %d, %.60q (%d bytes)",
			got[0].Errno, got[0].N, got[0].Data, len(got[0].Data), got[1].Errno, got[1].N, got[1].Data, len(got[1].Data))
	}
}
