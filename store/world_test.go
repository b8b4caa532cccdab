package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

const (
	quiet = 30 * time.Second
	stall = 10 * time.Second
	key   = "dir/a"
)

// A world is a client, the network and the bucket.
type world struct {
	testing.TB
	b *memstore.Bucket
	f *faultstore.Store
	c *store.Client
}

func newWorld(t testing.TB, versioned bool) *world { return newFlawed(t, versioned, 0) }

// newFlawed is a world whose server has flaws, of which the client knows.
func newFlawed(t testing.TB, versioned bool, flaws store.Flaws) *world {
	w := &world{TB: t, b: memstore.New(memstore.Options{Versioned: versioned, Flaws: flaws})}
	w.f = faultstore.New(w.b)
	w.c = store.New(newMonitor(t, w.f), store.Options{Host: "here"})
	w.c.SetFlaws(flaws)
	return w
}

var (
	errReset = errors.New("connection reset by peer")
	errSlow  = errors.New("slow down")
)

// on runs do just before the n-th request of an operation.
func (w *world) on(op string, n int, do func()) {
	var seen atomic.Int64
	w.f.Hook(func(o, _ string, _ int) faultstore.Fault {
		if o == op && seen.Add(1) == int64(n) {
			do()
		}
		return faultstore.Fault{}
	})
}

func (w *world) content(key string) string {
	text, ok := w.b.Content(key)
	if !ok {
		return "-"
	}
	return text
}

// A permit can be taken away, or let a number of checks pass.
type permit struct {
	gone   atomic.Bool
	passes atomic.Int64 // -1: any number
}

func valid() *permit {
	p := &permit{}
	p.passes.Store(-1)
	return p
}

func (p *permit) Check() error {
	n := p.passes.Load()
	if n > 0 {
		p.passes.Add(-1)
	}
	if p.gone.Load() || n == 0 {
		return errors.New("the lease has run out")
	}
	return nil
}

// An op is one of the operations that change an object.
type op struct {
	name    string
	request string // which of its requests makes the change
	limit   time.Duration
	want    string      // the content that it makes; "-" for none
	flaws   store.Flaws // of the server
	run     func(ctx context.Context, w *world, p store.Permit, base store.Base, unanswered func(error)) error
	// write is run for what it gives; nil for a delete.
	write func(ctx context.Context, w *world, base store.Base) (store.Info, error)
}

const id = store.WriteID("w1")

var (
	small  = "new content"
	large  = strings.Repeat("0123456789abcdef", store.PartSize/16) + "!"
	source = strings.Repeat("s", 1000)
)

const noCopy, noParts, noComplete, noDelete = store.CopyConditions, store.PartSource, store.CompleteConditions, store.DeleteConditions

type writing func(ctx context.Context, w *world, p store.Permit, write store.Write) (store.Info, error)

func writeOp(name, request, body string, limit time.Duration, do writing) op {
	return op{name, request, limit, body, 0, func(ctx context.Context, w *world, p store.Permit, base store.Base, unanswered func(error)) error {
		_, err := do(ctx, w, p, store.Write{Key: key, ID: id, Base: base, Unanswered: unanswered})
		return err
	}, func(ctx context.Context, w *world, base store.Base) (store.Info, error) {
		return do(ctx, w, valid(), store.Write{Key: key, ID: id, Base: base})
	}}
}

// on gives the operation on a server with flaws.
func (o op) on(name string, flaws store.Flaws) op {
	o.name, o.flaws = name, flaws
	return o
}

func put(name, request, body string, limit time.Duration) op {
	return writeOp(name, request, body, limit, func(ctx context.Context, w *world, p store.Permit, write store.Write) (store.Info, error) {
		r := strings.NewReader(body)
		return w.c.Put(ctx, p, write, store.Body{ReaderAt: r, Size: r.Size()})
	})
}

func cp(name, request, body string, limit time.Duration) op {
	return writeOp(name, request, body, limit, func(ctx context.Context, w *world, p store.Permit, write store.Write) (store.Info, error) {
		from := w.b.PutForeign("source", body)
		return w.c.Copy(ctx, p, write, store.Source{Key: "source", Base: from.Base(), Size: from.Size})
	})
}

func perSize(n int) time.Duration {
	return stall + time.Duration(float64(n)/(1<<30)*float64(30*time.Second))
}

func ops() []op {
	return []op{
		put("put", "Put", small, stall),
		put("empty put", "Put", "", stall),
		put("multipart", "CompleteUpload", large, perSize(len(large))),
		cp("copy", "Copy", source, perSize(len(source))),
		put("", "Put", large, perSize(len(large))).on("large put in one piece", noComplete),
		cp("", "CompleteUpload", source, perSize(len(source))).on("copy by a part", noCopy),
		cp("", "Put", source, stall).on("copy by reading", noCopy|noComplete),
		cp("", "Put", large, perSize(len(large))).on("large copy by reading", noCopy|noComplete),
		cp("", "Put", source, stall).on("copy by reading, parts copied blindly", noCopy|noParts),
		cp("", "CompleteUpload", large, perSize(len(large))).on("large copy by reading, in parts", noCopy|noParts),
		{name: "delete", request: "Delete", limit: stall, want: "-", run: func(ctx context.Context, w *world, p store.Permit, base store.Base, unanswered func(error)) error {
			return w.c.Delete(ctx, p, store.Deletion{Key: key, Base: base, Unanswered: unanswered})
		}},
	}
}

// A monitor sees to it that no two attempts of a mutation can land at one time, and that
// each has its condition.
type monitor struct {
	store.API
	t testing.TB

	mu    sync.Mutex
	alive map[string]landing // by mutation: the write id, for a delete the key
	ids   map[string]string  // write ids of uploads
}

func newMonitor(t testing.TB, api store.API) *monitor {
	return &monitor{API: api, t: t, alive: map[string]landing{}, ids: map[string]string{}}
}

// A landing is an attempt that can change a key.
type landing struct {
	upload string
	until  time.Time // when it is surely dead; zero while it is on the wire
}

// watch sees a request that changes size bytes at once.
func (m *monitor) watch(mutation, upload string, cond store.Condition, size int64, request func() (store.Info, error)) (store.Info, error) {
	if cond == (store.Condition{}) {
		m.t.Errorf("%s: an attempt without a condition", mutation)
	}
	before, pending := m.begin(mutation, upload)
	info, err := request()
	m.mu.Lock()
	defer m.mu.Unlock()
	var a *store.AttemptError
	switch {
	case errors.As(err, &a) && a.Fate == store.Unknown:
		m.alive[mutation] = landing{upload, time.Now().Add(quiet + perSize(int(size)) - stall)}
	case err != nil && pending:
		m.alive[mutation] = before // an earlier Complete of the same upload
	default:
		delete(m.alive, mutation)
	}
	return info, err
}

// begin also gives what may still land by itself.
func (m *monitor) begin(mutation, upload string) (before landing, pending bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, ok := m.alive[mutation]
	pending = ok && (before.until.IsZero() || time.Now().Before(before.until))
	if pending && (upload == "" || before.upload != upload) {
		m.t.Errorf("%s: an attempt is sent while another can still land", mutation)
	}
	m.alive[mutation] = landing{upload: upload}
	return before, pending
}

func (m *monitor) Put(ctx context.Context, in store.PutRequest) (store.Info, error) {
	return m.watch(in.Props.Meta["latchfs-write-id"], "", in.Cond, beyond(in.Size, store.PartSize), func() (store.Info, error) { return m.API.Put(ctx, in) })
}

func (m *monitor) Copy(ctx context.Context, in store.CopyRequest) (store.Info, error) {
	if in.IfMatch == "" {
		m.t.Errorf("a copy without a condition on its source")
	}
	return m.watch(in.Props.Meta["latchfs-write-id"], "", in.Cond, 0, func() (store.Info, error) { return m.API.Copy(ctx, in) })
}

func (m *monitor) CopyPart(ctx context.Context, in store.CopyPartRequest) (store.Part, error) {
	if in.IfMatch == "" {
		m.t.Errorf("a part without a condition on its source")
	}
	if in.Range.Length >= 0 && in.Range.Length < 5<<20 && in.Number == 1 {
		m.t.Errorf("a range %+v of a source that is not over 5 MB", in.Range)
	}
	return m.API.CopyPart(ctx, in)
}

func (m *monitor) Delete(ctx context.Context, in store.DeleteRequest) error {
	mutation := "delete of " + in.Key
	if a, ok := ctx.Value(actKey{}).(*act); ok {
		mutation = fmt.Sprintf("%s by %p", mutation, a)
	}
	_, err := m.watch(mutation, "", store.Condition{IfMatch: in.IfMatch}, 0, func() (store.Info, error) {
		return store.Info{}, m.API.Delete(ctx, in)
	})
	return err
}

func (m *monitor) CreateUpload(ctx context.Context, in store.CreateUploadRequest) (string, error) {
	upload, err := m.API.CreateUpload(ctx, in)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ids[upload] = in.Props.Meta["latchfs-write-id"]
	return upload, err
}

func (m *monitor) CompleteUpload(ctx context.Context, in store.CompleteRequest) (store.Info, error) {
	return m.watch(m.id(in.Upload), in.Upload, in.Cond, 0, func() (store.Info, error) { return m.API.CompleteUpload(ctx, in) })
}

func (m *monitor) AbortUpload(ctx context.Context, key, upload string) error {
	err := m.API.AbortUpload(ctx, key, upload)
	id := m.id(upload)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil && m.alive[id].upload == upload {
		delete(m.alive, id)
	}
	return err
}

// beyond is the size, if it is more than what is sent at once on any server.
func beyond(size, most int64) int64 {
	if size > most {
		return size
	}
	return 0
}

func (m *monitor) id(upload string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ids[upload]
}
