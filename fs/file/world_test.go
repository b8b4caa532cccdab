package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
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
		LockTimeout: 100 * time.Second, FlushTimeout: 80 * time.Second, Proc: h.proc,
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
	h.o.Log = slog.New(slog.NewTextHandler(&b, nil))
	return &b
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

// A bucket is a versioned bucket in memory at the level of store.Client: conditions are
// judged, faults are injected.
type bucket struct {
	mu          sync.Mutex
	objects     map[string][]*object // oldest first; a nil info.ETag is a delete marker
	n           int
	requests    map[string]int
	unversioned bool
	// lateDelete, if set, is closed when the requests of deletions whose answers were lost can
	// land no more.
	lateDelete chan struct{}
	// before, if set, is called before a mutation is judged; its error is the outcome.
	before func(ctx context.Context, op, key string, unanswered func(error)) error
	// copying, if set, is called while a copy is under way.
	copying func(progress func(int64))
	// after, if set, is called once a mutation was applied.
	after func(ctx context.Context, op, key string) error
}

type object struct {
	info store.Info
	body string
	id   store.WriteID
}

func newBucket() *bucket {
	return &bucket{objects: map[string][]*object{}, requests: map[string]int{}}
}

func (b *bucket) current(key string) *object {
	vs := b.objects[key]
	if len(vs) == 0 || vs[len(vs)-1].info.ETag == "" {
		return nil
	}
	return vs[len(vs)-1]
}

func (b *bucket) head(key string) *object {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current(key)
}

func (b *bucket) add(key, body string, p store.Props, id store.WriteID) store.Info {
	b.n++
	o := &object{body: body, id: id, info: store.Info{
		Key: key, ETag: fmt.Sprintf("e-%x", body), VersionID: fmt.Sprintf("v%d", b.n), Size: int64(len(body)),
		LastModified: time.Now().Truncate(time.Second), Props: p,
	}}
	if body == "" {
		o.info.ETag = "e-empty"
	}
	b.objects[key] = append(b.objects[key], o)
	return o.info
}

// put is a foreign writer.
func (b *bucket) put(key, body string) store.Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.add(key, body, store.Props{}, "")
}

// remove is a foreign writer's delete.
func (b *bucket) remove(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	b.objects[key] = append(b.objects[key], &object{info: store.Info{Key: key, VersionID: fmt.Sprintf("v%d", b.n)}})
}

// get returns the current content; "-" if there is none.
func (b *bucket) get(key string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.current(key); o != nil {
		return o.body
	}
	return "-"
}

func (b *bucket) versions(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.objects[key])
}

// like returns the keys that contain part.
func (b *bucket) like(part string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for key := range b.objects {
		if strings.Contains(key, part) && b.current(key) != nil {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

func (b *bucket) count(op string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests[op]
}

func (b *bucket) judge(ctx context.Context, op, key string, p store.Permit, base store.Base, unanswered func(error)) error {
	b.mu.Lock()
	b.requests[op]++
	before := b.before
	b.mu.Unlock()
	if err := p.Check(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrNotPermitted, err)
	}
	if before != nil {
		if unanswered == nil {
			unanswered = func(error) {}
		}
		if err := before(ctx, op, key, unanswered); err != nil {
			return err
		}
		if err := p.Check(); err != nil { // before the next attempt, or the last byte
			return fmt.Errorf("%w: %w", store.ErrNotPermitted, err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	cur := b.current(key)
	if (cur == nil) != base.Absent() || cur != nil && cur.info.ETag != base.ETag {
		return store.ErrConflict
	}
	return nil
}

func (b *bucket) done(ctx context.Context, op, key string) error {
	b.mu.Lock()
	after := b.after
	b.mu.Unlock()
	if after != nil {
		return after(ctx, op, key)
	}
	return nil
}

func (b *bucket) Head(ctx context.Context, key, version string) (store.Info, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests["head"]++
	if o := b.current(key); o != nil {
		return o.info, nil
	}
	return store.Info{}, fmt.Errorf("head %q: %w", key, store.ErrNotFound)
}

func (b *bucket) Get(ctx context.Context, key string, o store.GetOptions) (*store.Object, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.objects[key] {
		if v.info.VersionID == o.VersionID && v.info.ETag != "" {
			body := v.body
			if o.Range != nil {
				body = body[min(o.Range.Offset, int64(len(body))):]
				if o.Range.Length >= 0 {
					body = body[:min(o.Range.Length, int64(len(body)))]
				}
			}
			return &store.Object{Info: v.info, Body: nopCloser{strings.NewReader(body)}}, nil
		}
	}
	return nil, store.ErrNotFound
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }

func (b *bucket) List(ctx context.Context, o store.ListOptions) (store.ListPage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var page store.ListPage
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if v := b.current(key); v != nil && strings.HasPrefix(key, o.Prefix) && len(page.Objects) < o.Max {
			page.Objects = append(page.Objects, v.info)
		}
	}
	return page, nil
}

func (b *bucket) Put(ctx context.Context, p store.Permit, w store.Write, body store.Body) (store.Info, error) {
	text := make([]byte, body.Size)
	if n, err := body.ReadAt(text, 0); n < len(text) {
		return store.Info{}, err
	}
	if err := b.judge(ctx, "put", w.Key, p, w.Base, w.Unanswered); err != nil {
		if o := b.head(w.Key); errors.Is(err, store.ErrConflict) && o != nil && o.id == w.ID {
			return o.info, nil // ours, by an earlier request
		}
		return store.Info{}, err
	}
	b.mu.Lock()
	i := b.add(w.Key, string(text), w.Props, w.ID)
	b.mu.Unlock()
	return i, b.done(ctx, "put", w.Key)
}

func (b *bucket) Copy(ctx context.Context, p store.Permit, w store.Write, src store.Source) (store.Info, error) {
	b.mu.Lock()
	copying := b.copying
	b.mu.Unlock()
	if copying != nil {
		copying(w.Progress)
	}
	if err := b.judge(ctx, "copy", w.Key, p, w.Base, w.Unanswered); err != nil {
		return store.Info{}, err
	}
	b.mu.Lock()
	s := b.current(src.Key)
	if s == nil || s.info.ETag != src.Base.ETag {
		b.mu.Unlock()
		return store.Info{}, store.ErrConflict
	}
	i := b.add(w.Key, s.body, w.Props, w.ID)
	b.mu.Unlock()
	return i, b.done(ctx, "copy", w.Key)
}

func (b *bucket) Delete(ctx context.Context, p store.Permit, d store.Deletion) error {
	if err := b.judge(ctx, "delete", d.Key, p, d.Base, d.Unanswered); err != nil {
		return err
	}
	b.remove(d.Key)
	if b.lateDelete != nil {
		d.Gone()
		<-b.lateDelete
	}
	return b.done(ctx, "delete", d.Key)
}

func (b *bucket) AbortUpload(context.Context, string, string) error { return nil }

func (b *bucket) Versioned(context.Context) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.unversioned, nil
}

func (b *bucket) Below(_ context.Context, key, version string) (store.Version, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var below store.Version
	for _, v := range b.objects[key] {
		if v.info.VersionID == version {
			return below, nil
		}
		below = store.Version{Info: v.info, Deleted: v.info.ETag == ""}
	}
	return store.Version{}, store.ErrNotFound
}

func (b *bucket) Settle(ctx context.Context, key string, id store.WriteID, base store.Base) (store.Settled, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.objects[key] {
		if v.id == id && id != "" {
			return store.Settled{Outcome: store.Landed, Current: v.info}, nil
		}
	}
	cur := b.current(key)
	if cur == nil && base.Absent() || cur != nil && cur.info.Base().Same(base) {
		return store.Settled{Outcome: store.Unchanged}, nil
	}
	return store.Settled{Outcome: store.Changed}, nil
}

// A lockTable is shared by hosts; its leases can be lost and wanted at will.
type lockTable struct {
	mu       sync.Mutex
	held     map[string]*testLease
	acquired map[string]int
	down     bool
	freed    chan struct{} // closed and replaced when a lease is released
}

type testLease struct {
	l            *lockTable
	key          string
	lost, wanted chan struct{}
	isLost       bool
	isWanted     bool
	expired      bool
}

func newLockTable() *lockTable {
	return &lockTable{held: map[string]*testLease{}, acquired: map[string]int{}, freed: make(chan struct{})}
}

func (l *lockTable) Acquire(ctx context.Context, key string, wait time.Duration) (lease.Lease, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		l.mu.Lock()
		if l.down {
			l.mu.Unlock()
			return nil, lockmgr.ErrUnavailable
		}
		h := l.held[key]
		if h == nil {
			h = &testLease{l: l, key: key, lost: make(chan struct{}), wanted: make(chan struct{})}
			l.held[key] = h
			l.acquired[key]++
			l.mu.Unlock()
			return h, nil
		}
		if !h.isWanted {
			h.isWanted = true
			close(h.wanted)
		}
		freed := l.freed
		l.mu.Unlock()
		select {
		case <-freed:
		case <-timer.C:
			return nil, &lockmgr.HeldError{Key: key, Host: "there", Waited: wait}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (h *testLease) Check() error {
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	switch {
	case h.isLost:
		return lockmgr.ErrLost
	case h.expired:
		return lockmgr.ErrExpired
	case h.l.held[h.key] != h:
		return errors.New("used after its release")
	}
	return nil
}

func (h *testLease) Lost() <-chan struct{}   { return h.lost }
func (h *testLease) Wanted() <-chan struct{} { return h.wanted }

func (h *testLease) Release() {
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	h.l.free(h)
}

func (l *lockTable) free(h *testLease) {
	if l.held[h.key] == h {
		delete(l.held, h.key)
		close(l.freed)
		l.freed = make(chan struct{})
	}
}

// lose takes the lease of the key from its holder, as a kill of its session does.
func (l *lockTable) lose(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[key]
	h.isLost = true
	close(h.lost)
	l.free(h)
}

// holds tells whether anybody holds the key.
func (l *lockTable) holds(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[key] != nil
}

// limit restarts the table with a spool of so many bytes.
func (h *host) limit(n int64) {
	h.t.Helper()
	h.stop()
	sp, err := spool.Open(h.dir, spool.Options{Limit: n})
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
