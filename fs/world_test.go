package fs

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// A world is a mount without a kernel: the test asks the requests that a kernel would. What
// others do to the bucket goes to the memstore.
type world struct {
	t      *testing.T
	front  *front
	raw    fuse.RawFileSystem
	bucket *memstore.Bucket
	net    *faultstore.Store
	locks  *locks
	kernel *kernel
	log    *bytes.Buffer
}

const (
	testTTL   = time.Second
	testQuiet = 30 * time.Second
	root      = fuse.FUSE_ROOT_ID
)

// newWorld mounts an empty, versioned bucket. It is to be called in a bubble of synctest.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, memstore.Options{Versioned: true})
}

func newWorldOf(t *testing.T, o memstore.Options) *world {
	t.Helper()
	return newWorldOn(t, memstore.New(o))
}

// newWorldOn mounts a bucket, which may be mounted already.
func newWorldOn(t *testing.T, b *memstore.Bucket) *world {
	t.Helper()
	w := &world{t: t, bucket: b, locks: &locks{}, kernel: &kernel{}, log: &bytes.Buffer{}}
	w.net = faultstore.New(w.bucket)
	log := slog.New(slog.NewTextHandler(w.log, nil))
	bucket := store.New(w.net, store.Options{Host: "here", Timing: store.Timing{Quiet: testQuiet}})
	sp, err := spool.Open(t.TempDir(), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	names := tree.New(bucket, tree.Options{TTL: testTTL})
	ahead := reader.New(bucket, 1<<20)
	defaults := file.Defaults{FileMode: 0o644, DirMode: 0o755}
	versions := NewVersions()
	files := file.NewTable(file.Options{
		Objects: bucket, Locks: w.locks, Spool: sp, Reader: ahead, Host: "here", Defaults: defaults,
		LockTimeout: time.Minute, FlushTimeout: 80 * time.Second, Quiet: testQuiet, Proc: procfs.FS(t.TempDir()), Changed: Changed(names, versions), Lasting: names.Lasting, Marker: names.Marker,
	})
	w.front = newFront(Config{Tree: names, Files: files, Reader: ahead, History: history.New(bucket), Past: history.NewPast(bucket, history.PastOptions{TTL: testTTL}), Versions: versions, Defaults: defaults, MetadataTTL: testTTL, Log: log})
	w.raw = w.front.serve(w.kernel)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		files.Shutdown(ctx)
		sp.Close()
	})
	return w
}

// header is that of a request by this process, about a node.
func header(node uint64) fuse.InHeader {
	return fuse.InHeader{NodeId: node, Caller: fuse.Caller{Pid: uint32(os.Getpid())}}
}

func (w *world) ok(what string, s fuse.Status) {
	w.t.Helper()
	if s != fuse.OK {
		w.t.Fatalf("%s: %v", what, s)
	}
}

func (w *world) lookup(dir uint64, name string) (fuse.EntryOut, fuse.Status) {
	var out fuse.EntryOut
	h := header(dir)
	s := w.raw.Lookup(nil, &h, name, &out)
	return out, s
}

// find looks up a name that is there, and gives its node.
func (w *world) find(dir uint64, name string) uint64 {
	w.t.Helper()
	out, s := w.lookup(dir, name)
	w.ok("lookup "+name, s)
	return out.NodeId
}

func (w *world) missing(dir uint64, name string) {
	w.t.Helper()
	if _, s := w.lookup(dir, name); s != fuse.ENOENT {
		w.t.Errorf("lookup %s: %v", name, s)
	}
}

// A descriptor is an open file.
type descriptor struct{ node, fh uint64 }

func (w *world) tryOpen(node uint64, flags uint32) (descriptor, fuse.OpenOut, fuse.Status) {
	var out fuse.OpenOut
	s := w.raw.Open(nil, &fuse.OpenIn{InHeader: header(node), Flags: flags}, &out)
	return descriptor{node, out.Fh}, out, s
}

func (w *world) open(node uint64, flags uint32) descriptor {
	w.t.Helper()
	d, _, s := w.tryOpen(node, flags)
	w.ok("open", s)
	return d
}

func (w *world) create(dir uint64, name string) descriptor {
	w.t.Helper()
	var out fuse.CreateOut
	w.ok("create "+name, w.raw.Create(nil, &fuse.CreateIn{InHeader: header(dir), Flags: unix.O_RDWR, Mode: 0o644}, name, &out))
	return descriptor{out.NodeId, out.Fh}
}

func (w *world) write(d descriptor, off int, text string) {
	w.t.Helper()
	n, s := w.raw.Write(nil, &fuse.WriteIn{InHeader: header(d.node), Fh: d.fh, Offset: uint64(off)}, []byte(text))
	w.ok("write", s)
	if int(n) != len(text) {
		w.t.Fatalf("%d of %d bytes were written", n, len(text))
	}
}

func (w *world) read(d descriptor) string {
	w.t.Helper()
	buf := make([]byte, 1000)
	r, s := w.raw.Read(nil, &fuse.ReadIn{InHeader: header(d.node), Fh: d.fh, Size: uint32(len(buf))}, buf)
	w.ok("read", s)
	b, s := r.Bytes(buf)
	w.ok("read", s)
	return string(b)
}

// size is what fstat shows.
func (w *world) size(node uint64) int {
	w.t.Helper()
	var out fuse.AttrOut
	w.ok("getattr", w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(node)}, &out))
	return int(out.Size)
}

// inode is the inode number that stat shows.
func (w *world) inode(node uint64) uint64 {
	w.t.Helper()
	var out fuse.AttrOut
	w.ok("getattr", w.raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(node)}, &out))
	return out.Ino
}

func (w *world) flush(d descriptor) fuse.Status {
	return w.raw.Flush(nil, &fuse.FlushIn{InHeader: header(d.node), Fh: d.fh})
}

func (w *world) release(d descriptor) {
	w.raw.Release(nil, &fuse.ReleaseIn{InHeader: header(d.node), Fh: d.fh})
}

// close is close(2) of the last descriptor.
func (w *world) close(d descriptor) {
	w.t.Helper()
	w.ok("flush", w.flush(d))
	w.release(d)
}

// save makes a file here and closes it.
func (w *world) save(name, text string) (node uint64) {
	w.t.Helper()
	d := w.create(root, name)
	w.write(d, 0, text)
	w.close(d)
	return d.node
}

func (w *world) unlink(dir uint64, name string) fuse.Status {
	h := header(dir)
	return w.raw.Unlink(nil, &h, name)
}

func (w *world) mkdir(dir uint64, name string) uint64 {
	w.t.Helper()
	var out fuse.EntryOut
	w.ok("mkdir", w.raw.Mkdir(nil, &fuse.MkdirIn{InHeader: header(dir), Mode: 0o755}, name, &out))
	return out.NodeId
}

func (w *world) rmdir(dir uint64, name string) fuse.Status {
	h := header(dir)
	return w.raw.Rmdir(nil, &h, name)
}

func (w *world) rename(dir uint64, name string, to uint64, newName string) fuse.Status {
	return w.raw.Rename(nil, &fuse.RenameIn{InHeader: header(dir), Newdir: to}, name, newName)
}

// forget is what the kernel says of a node that it looked up so often and does not know any
// more.
func (w *world) forget(node uint64, lookups uint64) { w.raw.Forget(node, lookups) }

// openDir opens a directory.
func (w *world) openDir(node uint64) descriptor {
	w.t.Helper()
	var out fuse.OpenOut
	w.ok("opendir", w.raw.OpenDir(nil, &fuse.OpenIn{InHeader: header(node)}, &out))
	return descriptor{node, out.Fh}
}

// readDir reads a directory from off on, with READDIRPLUS or without; as much as fits in size
// bytes.
func (w *world) readDir(d descriptor, off uint64, size int, plus bool) {
	w.t.Helper()
	w.readInto(make([]byte, size), d, off, plus)
}

func (w *world) readInto(buf []byte, d descriptor, off uint64, plus bool) {
	w.t.Helper()
	in := fuse.ReadIn{InHeader: header(d.node), Fh: d.fh, Offset: off, Size: uint32(len(buf))}
	out := fuse.NewDirEntryList(buf, off)
	if plus {
		w.ok("readdirplus", w.raw.ReadDirPlus(nil, &in, out))
	} else {
		w.ok("readdir", w.raw.ReadDir(nil, &in, out))
	}
}

// list gives the names in a directory.
func (w *world) list(dir uint64) string {
	w.t.Helper()
	names, _ := w.entries(dir)
	return strings.Join(names, " ")
}

// entries gives the names in a directory, and their inode numbers as readdir shows them.
func (w *world) entries(dir uint64) (names []string, numbers map[string]uint64) {
	w.t.Helper()
	return w.entriesIn(dir, 1<<16)
}

// entriesIn is entries of a directory that takes so many bytes at most.
func (w *world) entriesIn(dir uint64, size int) (names []string, numbers map[string]uint64) {
	w.t.Helper()
	d := w.openDir(dir)
	defer w.releaseDir(d)
	buf := make([]byte, size)
	w.readInto(buf, d, 0, false)
	numbers = make(map[string]uint64)
	for { // struct fuse_dirent of linux:include/uapi/linux/fuse.h
		n := int(binary.NativeEndian.Uint32(buf[16:]))
		if n == 0 {
			return names, numbers
		}
		if name := string(buf[24 : 24+n]); name != "." && name != ".." {
			names = append(names, name)
		}
		numbers[string(buf[24:24+n])] = binary.NativeEndian.Uint64(buf)
		buf = buf[(24+n+7)/8*8:]
	}
}

func (w *world) releaseDir(d descriptor) {
	w.raw.ReleaseDir(&fuse.ReleaseIn{InHeader: header(d.node), Fh: d.fh})
}

// A kernel notes what it is told.
type kernel struct {
	mu   sync.Mutex
	told []string
}

func (k *kernel) note(format string, args ...any) fuse.Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = append(k.told, fmt.Sprintf(format, args...))
	return fuse.OK
}

// heard gives what it was told since it was asked last.
func (k *kernel) heard() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	told := k.told
	k.told = nil
	return told
}

func (k *kernel) DeleteNotify(parent, child uint64, name string) fuse.Status {
	return k.note("delete %d %d %s", parent, child, name)
}

func (k *kernel) EntryNotify(parent uint64, name string) fuse.Status {
	return k.note("entry %d %s", parent, name)
}

func (k *kernel) InodeNotify(node uint64, off, length int64) fuse.Status {
	return k.note("inode %d %d %d", node, off, length)
}

func (k *kernel) InodeRetrieveCache(uint64, int64, []byte) (int, fuse.Status) { return 0, fuse.ENOSYS }

func (k *kernel) InodeNotifyStoreCache(uint64, int64, []byte) fuse.Status { return fuse.ENOSYS }

// locks gives every lease at once; whether they are proved valid is up to the test.
type locks struct {
	mu      sync.Mutex
	expired bool
	out     int // leases that were not released
}

// held tells whether a lease is out.
func (l *locks) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out > 0
}

type fakeLease struct {
	l            *locks
	lost, wanted chan struct{}
}

func (l *locks) Acquire(context.Context, string, time.Duration) (lease.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.expired {
		return nil, lockmgr.ErrUnavailable
	}
	l.out++
	return &fakeLease{l: l, lost: make(chan struct{}), wanted: make(chan struct{})}, nil
}

func (l *locks) Held(context.Context, string) (bool, error) { return false, nil }

// expire cuts the host off from the lock table, or ends that.
func (l *locks) expire(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expired = yes
}

func (l *fakeLease) Check() error {
	l.l.mu.Lock()
	defer l.l.mu.Unlock()
	if l.l.expired {
		return lockmgr.ErrExpired
	}
	return nil
}

func (l *fakeLease) Lost() <-chan struct{}   { return l.lost }
func (l *fakeLease) Wanted() <-chan struct{} { return l.wanted }

func (l *fakeLease) Release() {
	l.l.mu.Lock()
	defer l.l.mu.Unlock()
	l.l.out--
}
