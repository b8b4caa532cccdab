package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"testing"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// A host is one mount's table over a bucket and a lock table that it may share.
type host struct {
	*Table
	t     *testing.T
	b     *bucket
	locks *lockTable
	spool *spool.Spool
	dir   string
	proc  string
}

const testPID = 4711

// newHost makes a host whose process testPID holds no descriptors.
func newHost(t *testing.T, b *bucket, l *lockTable) *host {
	t.Helper()
	h := &host{t: t, b: b, locks: l, dir: t.TempDir(), proc: t.TempDir()}
	h.process(testPID)
	h.start(l)
	return h
}

// newManagedHost makes a host with a lock manager over a table that it may share.
func newManagedHost(t *testing.T, b *bucket, table lockmgr.Table, name string) (*host, *lockmgr.Manager) {
	t.Helper()
	began := time.Now()
	m := lockmgr.New(table, lockmgr.Config{Schema: 1, Timing: lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}, ID: "t"},
		lockmgr.Options{BucketID: "b", Name: name, Host: name, Now: func() time.Duration { return time.Since(began) }})
	h := &host{t: t, b: b, dir: t.TempDir(), proc: t.TempDir()}
	h.process(testPID)
	h.start(lease.Manager(m))
	return h, m
}

func (h *host) start(locks lease.Locks) {
	h.t.Helper()
	sp, err := spool.Open(h.dir, spool.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.spool = sp
	h.Table = NewTable(Options{
		Objects: h.b, Locks: locks, Spool: sp, Reader: reader.New(h.b, 1<<20),
		Host: "here", Defaults: Defaults{UID: 1, GID: 2, FileMode: 0o644, DirMode: 0o755},
		LockTimeout: 100 * time.Second, FlushTimeout: 80 * time.Second, Proc: procfs.FS(h.proc),
		Log: slog.New(slog.DiscardHandler),
	})
}

// process gives the process pid a table of descriptors in the fake /proc.
func (h *host) process(pid uint32, fds ...string) {
	h.t.Helper()
	dir := filepath.Join(h.proc, fmt.Sprint(pid))
	os.RemoveAll(dir)
	if err := os.MkdirAll(filepath.Join(dir, "fdinfo"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	h.file(filepath.Join(dir, "status"), fmt.Sprintf("Name:\tx\nTgid:\t%d\nPid:\t%d\n", pid, pid))
	h.file(filepath.Join(dir, "mountinfo"), "29 1 8:1 / / rw - ext4 /dev/sda1 rw\n77 29 0:45 / /mnt rw - fuse.latchfs x rw\n")
	for i, fd := range fds {
		h.file(filepath.Join(dir, "fdinfo", fmt.Sprint(i)), fd)
	}
}

func (h *host) file(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// fd is the fdinfo of a descriptor with write access on the inode.
func fd(ino int) string { return fmt.Sprintf("pos:\t0\nflags:\t0100001\nmnt_id:\t77\nino:\t%d\n", ino) }

// caller is process testPID asking about inode 5 of the mount 0:45.
var caller = Caller{PID: testPID, Dev: 45, Ino: 5}

// logged makes the host log into a buffer.
func (h *host) logged() *bytes.Buffer {
	var b bytes.Buffer
	h.logTo(slog.NewTextHandler(&b, nil))
	return &b
}

func (h *host) logTo(l slog.Handler) {
	h.o.Log = slog.New(l)
	h.said = seldom.New(h.o.Log)
}

// stop ends the table as a killed process would, but waits for its goroutines.
func (h *host) stop() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.Shutdown(ctx)
}

func (h *host) open(key string, how string) *Handle {
	h.t.Helper()
	x, err := h.tryOpen(key, how)
	if err != nil {
		h.t.Fatal(err)
	}
	return x
}

// tryOpen opens as a shell would: "r", "w" (truncate), "a", "r+", "c" (create).
func (h *host) tryOpen(key, how string) (*Handle, error) {
	r := OpenRequest{Key: key, Caller: caller}
	var x *Handle
	var err error
	switch how {
	case "c":
		r.Read = true
		x, _, err = h.Create(context.Background(), CreateRequest{OpenRequest: r, Mode: 0o640, UID: 7, GID: 8})
	default:
		r.Read = how == "r" || how == "r+"
		r.Write = how != "r"
		r.Trunc = how == "w"
		r.Append = how == "a"
		x, _, err = h.Open(context.Background(), r)
	}
	return x, err
}

func (h *host) write(x *Handle, text string, off int64) {
	h.t.Helper()
	if n, err := x.Write([]byte(text), off); n != len(text) || err != nil {
		h.t.Fatalf("write: %d, %v", n, err)
	}
	h.check()
}

func (h *host) read(x *Handle) string {
	h.t.Helper()
	b := make([]byte, 1<<16)
	n, err := x.Read(context.Background(), b, 0)
	if err != nil {
		h.t.Fatalf("read: %v", err)
	}
	return string(b[:n])
}

// close is FLUSH and RELEASE.
func (h *host) close(x *Handle) error {
	h.t.Helper()
	err := x.Flush(context.Background(), caller)
	h.check()
	x.Release()
	return err
}

// save creates or overwrites a file, as `echo >` does.
func (h *host) save(key, text string) {
	h.t.Helper()
	x, err := h.tryOpen(key, "w")
	if errors.Is(err, store.ErrNotFound) {
		x, err = h.tryOpen(key, "c")
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.write(x, text, 0)
	if err := h.close(x); err != nil {
		h.t.Fatal(err)
	}
}

// check checks the invariants that doc.go lists.
func (h *host) check() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, f := range h.files {
		f.mu.Lock()
		if err := f.check(); err != nil {
			h.t.Error(err)
		}
		if f.core.key != key {
			h.t.Errorf("%q is in the table as %q", f.core.key, key)
		}
		f.mu.Unlock()
	}
}

// restart makes the table anew, over a spool with these options.
func (h *host) restart(so spool.Options) {
	h.t.Helper()
	h.stop()
	if so.FS != nil {
		h.dir = "/"
	}
	sp, err := spool.Open(h.dir, so)
	if err != nil {
		h.t.Fatal(err)
	}
	o := h.o
	o.Spool = sp
	h.spool, h.Table = sp, NewTable(o)
}

// recover saves what the dead host left.
func (h *host) recover(dead *host) []Left {
	h.t.Helper()
	r, err := h.Recovery(dead.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	left, err := r.Run(context.Background())
	if err != nil {
		h.t.Errorf("recovery: %v", err)
	}
	return left
}

// Pending lists what is not in the bucket at this moment, parked files included.
func (t *Table) Pending() []Left {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := append([]Left(nil), t.parked...)
	for key, f := range t.files {
		f.mu.Lock()
		if f.core.pending() {
			l := Left{Key: key, Reason: f.core.state.String()}
			if f.local != nil {
				l.Bytes = f.local.Local()
			}
			left = append(left, l)
		}
		f.mu.Unlock()
	}
	sort.Slice(left, func(i, j int) bool { return left[i].Key < left[j].Key })
	return left
}
