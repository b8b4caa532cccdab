package file

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/store"
)

// leases are the lock manager's, whose leases can be watched.
type leases struct {
	lease.Locks

	mu   sync.Mutex
	held map[string]*watchedLease
	lost []*watchedLease
}

type watchedLease struct {
	lease.Lease
	l    *leases
	name string
}

func (l *leases) Acquire(ctx context.Context, name string, wait time.Duration) (lease.Lease, error) {
	got, err := l.Locks.Acquire(ctx, name, wait)
	if err != nil {
		return nil, err
	}
	w := &watchedLease{got, l, name}
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.held[name]; old != nil {
		l.lost = append(l.lost, old)
	}
	l.held[name] = w
	return w, nil
}

func (w *watchedLease) Release() {
	w.l.mu.Lock()
	if isClosed(w.Lost()) {
		w.l.lost = append(w.l.lost, w)
	}
	if w.l.held[w.name] == w {
		delete(w.l.held, w.name)
	}
	w.l.mu.Unlock()
	w.Lease.Release()
}

// valid tells whether the lease of a name is held and proved valid.
func (l *leases) valid(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.held[name]
	return w != nil && w.Check() == nil
}

// everLost tells whether a lease of the name was ever lost.
func (l *leases) everLost(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.held[name]; w != nil && isClosed(w.Lost()) {
		return true
	}
	return slices.ContainsFunc(l.lost, func(w *watchedLease) bool { return w.name == name })
}

// names are those of the leases that are proved valid.
func (l *leases) names() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, w := range l.held {
		if w.Check() == nil {
			names = append(names, name)
		}
	}
	return names
}

// A gate is where the requests of a mount leave it. A mount that is dead sends nothing.
type gate struct {
	store.API
	m *mount

	mu   sync.Mutex
	last map[string]asked  // by key
	ids  map[string]string // write ids, by upload
}

// asked is the last request of a mount about a key that was no read of bytes.
type asked struct {
	op     string
	leased bool     // when it began
	saw    *edition // by the last HEAD
	id     string   // of a write
}

// A request is a change when it leaves its mount.
type request struct {
	m      *mount
	id     string
	leased bool
	before asked // the one before it about its key
	sent   int64 // the moment

	arrived int // how often; guarded by witness.mu
}

type requestKey struct{}

var errKilled = errors.New("the process was killed")

// pass lets a request leave; its error is that of a mount that is dead.
func (g *gate) pass(ctx context.Context, op, key, id string) (context.Context, error) {
	if g.m.isDead() {
		return ctx, &store.AttemptError{Op: op, Key: key, Fate: store.Unsent, Err: errKilled}
	}
	leased, sent := g.m.leases.valid(lease.Name(key)), g.m.w.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.last[key]
	r := &request{m: g.m, id: id, leased: leased, before: last, sent: sent}
	g.last[key] = asked{op: op, leased: leased, id: id, saw: last.saw}
	g.m.w.tracef("%s: %s %s %s (leased: %v)", g.m, op, key, id, leased)
	return context.WithValue(ctx, requestKey{}, r), nil
}

func (g *gate) Head(ctx context.Context, in store.HeadRequest) (store.Info, error) {
	if in.Version != "" {
		return g.API.Head(ctx, in)
	}
	ctx, err := g.pass(ctx, "Head", in.Key, "")
	if err != nil {
		return store.Info{}, err
	}
	leased := g.m.leases.valid(lease.Name(in.Key))
	info, err := g.API.Head(ctx, in)
	g.m.w.tracef("%s: Head %s: %s %v", g.m, in.Key, info.VersionID, err)
	if err == nil || errors.Is(err, store.ErrNotFound) {
		saw := g.m.w.find(in.Key, info.Base())
		g.mu.Lock()
		defer g.mu.Unlock()
		g.last[in.Key] = asked{op: "Head", leased: leased, saw: saw}
	}
	return info, err
}

func (g *gate) Get(ctx context.Context, in store.GetRequest) (*store.Object, error) {
	if g.m.isDead() {
		return nil, &store.AttemptError{Op: "Get", Key: in.Key, Fate: store.Unsent, Err: errKilled}
	}
	return g.API.Get(ctx, in)
}

func (g *gate) Put(ctx context.Context, in store.PutRequest) (store.Info, error) {
	ctx, err := g.pass(ctx, "Put", in.Key, in.Props.Meta["latchfs-write-id"])
	if err != nil {
		return store.Info{}, err
	}
	info, err := g.API.Put(ctx, in)
	g.m.w.tracef("%s: Put %s: %s %v", g.m, in.Key, info.VersionID, err)
	return info, err
}

func (g *gate) Copy(ctx context.Context, in store.CopyRequest) (store.Info, error) {
	ctx, err := g.pass(ctx, "Copy", in.Key, in.Props.Meta["latchfs-write-id"])
	if err != nil {
		return store.Info{}, err
	}
	info, err := g.API.Copy(ctx, in)
	g.m.w.tracef("%s: Copy %s: %s %v", g.m, in.Key, info.VersionID, err)
	return info, err
}

func (g *gate) CompleteUpload(ctx context.Context, in store.CompleteRequest) (store.Info, error) {
	g.mu.Lock()
	id := g.ids[in.Upload]
	g.mu.Unlock()
	ctx, err := g.pass(ctx, "CompleteUpload", in.Key, id)
	if err != nil {
		return store.Info{}, err
	}
	info, err := g.API.CompleteUpload(ctx, in)
	g.m.w.tracef("%s: CompleteUpload %s: %s %v", g.m, in.Key, info.VersionID, err)
	return info, err
}

func (g *gate) CreateUpload(ctx context.Context, in store.CreateUploadRequest) (string, error) {
	if g.m.isDead() {
		return "", &store.AttemptError{Op: "CreateUpload", Key: in.Key, Fate: store.Unsent, Err: errKilled}
	}
	upload, err := g.API.CreateUpload(ctx, in)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ids[upload] = in.Props.Meta["latchfs-write-id"]
	return upload, err
}

func (g *gate) CopyPart(ctx context.Context, in store.CopyPartRequest) (store.Part, error) {
	if g.m.isDead() {
		return store.Part{}, &store.AttemptError{Op: "CopyPart", Key: in.Key, Fate: store.Unsent, Err: errKilled}
	}
	return g.API.CopyPart(ctx, in)
}

func (g *gate) AbortUpload(ctx context.Context, key, upload string) error {
	if g.m.isDead() {
		return &store.AttemptError{Op: "AbortUpload", Key: key, Fate: store.Unsent, Err: errKilled}
	}
	return g.API.AbortUpload(ctx, key, upload)
}

func (g *gate) Delete(ctx context.Context, in store.DeleteRequest) error {
	ctx, err := g.pass(ctx, "Delete", in.Key, "")
	if err != nil {
		return err
	}
	err = g.API.Delete(ctx, in)
	if errors.Is(err, store.ErrAccessDenied) {
		g.m.w.refusedRemoval(in.Key)
	}
	g.m.w.tracef("%s: Delete %s: %v", g.m, in.Key, err)
	return err
}
